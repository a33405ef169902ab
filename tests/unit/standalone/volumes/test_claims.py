"""What becomes of a claim, from one snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from cdi.binding import facts
from cdi.kube.objects import Object
from cdi.standalone.volumes import claims
from cdi.standalone.volumes.claims import Plan, Seen, Step
from cdi.standalone.volumes.origins import DataSource

BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
SELECTED = {"volume.kubernetes.io/selected-node": "cdi-local"}
DELETED = "2030-01-01T00:00:00Z"


def claim(
    *, annotations: dict[str, str] | None = None, deleted: bool = False, size: str = "1Gi",
    storage_class: str | None = "local", **spec: Any,
) -> Object:  # fmt: skip
    metadata: Object = {"name": "a", "namespace": "ns", "uid": "u", "annotations": annotations}
    if deleted:
        metadata["deletionTimestamp"] = DELETED
    given = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        given["storageClassName"] = storage_class
    return {"metadata": metadata, "spec": given | spec}


def storage_class(binding: str = "Immediate", **more: Any) -> Object:
    found = {"provisioner": "cdi.kubevirt.io/local", "volumeBindingMode": binding}
    return {"metadata": {"name": "local"}, "allowVolumeExpansion": True} | found | more


def volume(
    size: str = "1Gi", *, name: str = "pv", owner: str | None = None, uid: str = "u",
    phase: str = "Available", **spec: Any,
) -> Object:  # fmt: skip
    given: Object = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "local",
    }
    if owner:
        given["claimRef"] = {"namespace": "ns", "name": owner, "uid": uid}
    return {
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": given | spec,
        "status": {"phase": phase},
    }


IMMEDIATE, WAITING = storage_class(), storage_class("WaitForFirstConsumer")
STATIC, LARGE, OWN = volume(), volume("5Gi", name="large"), volume(owner="a")
OTHERS = volume(owner="other", uid="x")
HANDED_ON = volume(owner="a", uid="another-uid")

CASES = [
    pytest.param(Seen(claim(), storage_class=IMMEDIATE), Step.PROVISION, id="makes-a-volume"),
    pytest.param(Seen(claim(), storage_class=WAITING), Step.NONE, id="waits-for-a-consumer"),
    pytest.param(
        Seen(claim(annotations=SELECTED), storage_class=WAITING), Step.PROVISION,
        id="makes-a-volume-once-there-is-a-consumer",
    ),
    pytest.param(
        Seen(claim(), storage_class=WAITING, volumes=[STATIC]), Step.NONE,
        id="leaves-volumes-alone-until-there-is-a-consumer",
    ),
    pytest.param(
        Seen(claim(), storage_class=WAITING, volumes=[OWN]), Step.BIND,
        id="takes-a-promised-volume-without-a-consumer",
    ),
    pytest.param(
        Seen(claim(), storage_class=IMMEDIATE, volumes=[LARGE, STATIC]), Step.BIND,
        id="prefers-volumes-that-exist",
    ),
    pytest.param(
        Seen(claim(storage_class=None), default_class="local"), Step.CLASS, id="default-class"
    ),
    pytest.param(Seen(claim(storage_class="")), Step.NONE, id="no-class-and-no-volume"),
    pytest.param(Seen(claim(storage_class="gone")), Step.NONE, id="class-does-not-exist"),
    pytest.param(
        Seen(claim(dataSourceRef={"kind": "VolumeImportSource"}), storage_class=IMMEDIATE),
        Step.NONE, id="a-populator-brings-the-volume",
    ),
    pytest.param(
        Seen(claim(dataSource={"kind": "VolumeSnapshot"}), storage_class=IMMEDIATE), Step.NONE,
        id="cannot-restore-snapshots",
    ),
    pytest.param(
        Seen(claim(selector={"matchLabels": {"a": "b"}}), storage_class=IMMEDIATE), Step.NONE,
        id="cannot-make-selected-volumes",
    ),
    pytest.param(Seen(claim(volumeName="pv")), Step.NONE, id="named-volume-is-missing"),
    pytest.param(Seen(claim(volumeName="pv"), volume=STATIC), Step.BIND, id="named-volume"),
    pytest.param(
        Seen(claim(volumeName="pv"), volume=OTHERS), Step.NONE, id="named-volume-is-another's"
    ),
    pytest.param(
        Seen(claim(volumeName="pv", size="2Gi"), volume=STATIC), Step.NONE,
        id="named-volume-is-too-small",
    ),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv"), volume=OWN), Step.KEEP, id="bound"
    ),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv", size="2Gi"), volume=OWN,
             storage_class=IMMEDIATE), Step.GROW, id="grows-with-its-request",
    ),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv", size="2Gi"), volume=OWN,
             storage_class=storage_class(allowVolumeExpansion=False)), Step.KEEP,
        id="does-not-grow-where-the-class-forbids-it",
    ),
    pytest.param(Seen(claim(annotations=BOUND, volumeName="pv")), Step.NONE, id="volume-lost"),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv"), volume=HANDED_ON), Step.NONE,
        id="volume-handed-on",
    ),
    pytest.param(Seen(claim(deleted=True), in_use=True), Step.NONE, id="deleted-in-use"),
    pytest.param(Seen(claim(deleted=True)), Step.LET_GO, id="deleted-and-unused"),
    pytest.param(
        Seen(claim(deleted=True, annotations=BOUND, volumeName="pv"), volume=OWN, in_use=True),
        Step.KEEP, id="deleted-in-use-and-bound",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "step"), CASES)
def test_a_claim_takes_one_step(seen: Seen, step: Step) -> None:
    assert claims.decide(seen).step is step


WORDS = [
    pytest.param(
        Seen(claim(), storage_class=WAITING), "WaitForFirstConsumer",
        "waiting for first consumer to be created before binding", id="wffc",
    ),
    pytest.param(
        Seen(claim(storage_class="gone")), "ProvisioningFailed",
        'storageclass.storage.k8s.io "gone" not found', id="class",
    ),
    pytest.param(
        Seen(claim(storage_class="")), "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set", id="none",
    ),
    pytest.param(
        Seen(claim(), storage_class=storage_class(provisioner="csi.example.com")),
        "ExternalProvisioning", "external provisioner 'csi.example.com'", id="external",
    ),
    pytest.param(
        Seen(claim(volumeName="pv", size="2Gi"), volume=STATIC), "VolumeMismatch",
        'Cannot bind to requested volume "pv": requested PV is too small', id="mismatch",
    ),
    pytest.param(
        Seen(
            claim(dataSource={"kind": "VolumeSnapshot", "name": "s"}),
            storage_class=IMMEDIATE,
            source=DataSource("VolumeSnapshot", "s"),
        ),
        "ProvisioningFailed", 'failed to provision volume with StorageClass "local": ', id="clone",
    ),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv"), volume=HANDED_ON), "ClaimMisbound",
        "Two claims are bound to the same volume", id="misbound",
    ),
    pytest.param(
        Seen(claim(annotations=BOUND, volumeName="pv")), "ClaimLost",
        "Bound claim has lost its PersistentVolume. Data on the volume is lost!", id="lost",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "reason", "words"), WORDS)
def test_what_is_said_is_what_kubernetes_says(seen: Seen, reason: str, words: str) -> None:
    event = claims.decide(seen).event

    assert event is not None
    assert event.reason == reason
    assert words in event.message


@pytest.mark.parametrize("seen", [CASES[19].values[0], CASES[20].values[0]])
def test_a_claim_without_its_volume_is_lost(seen: Any) -> None:
    assert claims.decide(seen) == Plan(phase=facts.LOST, event=claims.decide(seen).event)


def test_the_smallest_volume_that_fits_is_bound() -> None:
    small = volume("512Mi", name="small")

    plan = claims.decide(Seen(claim(), storage_class=IMMEDIATE, volumes=[LARGE, small, STATIC]))

    assert plan.volume is STATIC


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        pytest.param({"selector": {"matchLabels": {"disk": "pv"}}}, True, id="label"),
        pytest.param({"selector": {"matchLabels": {"disk": "x"}}}, False, id="other-label"),
        pytest.param({"volumeMode": "Block"}, False, id="other-mode"),
        pytest.param({"accessModes": ["ReadWriteMany"]}, False, id="other-access"),
        pytest.param({"storageClassName": "fast"}, False, id="other-class"),
    ],
)
def test_a_volume_has_to_suit_the_claim(spec: Object, found: bool) -> None:
    asked = claim()
    asked["spec"] |= spec

    plan = claims.decide(Seen(asked, storage_class=IMMEDIATE, volumes=[STATIC]))

    assert (plan.step is Step.BIND) is found
