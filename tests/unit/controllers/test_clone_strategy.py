"""How a clone is done, and why not better: every check, in order."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.clonesource import CLAIM, SNAPSHOT, CloneSource
from cdi.controllers.cloning import attempt, copying, decide, strategy
from cdi.controllers.cloning.outcome import CannotClone, SourceMissing, TooSmall
from cdi.controllers.cloning.seen import Seen, Temporaries
from cdi.controllers.origins import use
from cdi.controllers.origins.origin import Origin
from cdi.controllers.settings import Settings
from cdi.kube.objects import Object

SETTINGS = Settings(worker_image="registry.example/cdi:1")
DRIVER, OTHER = "disk.example", "other.example"
NOW = "2030-01-01T00:00:00Z"


def storage_class(name: str = "fast", provisioner: str = DRIVER, *, grows: bool = True) -> Object:
    return {
        "metadata": {"name": name}, "provisioner": provisioner, "allowVolumeExpansion": grows,
    }  # fmt: skip


def profile(cloned_by: str, snapshot_class: str = "") -> Object:
    status = {"cloneStrategy": cloned_by}
    return {"status": status | ({"snapshotClass": snapshot_class} if snapshot_class else {})}


def claim(name: str, size: str = "1Gi", *, capacity: str | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"},
        "spec": {
            "storageClassName": "fast",
            "resources": {"requests": {"storage": size}},
            "dataSourceRef": {
                "apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": "v",
            },
            **spec,
        },
        "status": {"phase": "Bound", "capacity": {"storage": capacity or size}},
    }  # fmt: skip


def seen(
    source: Object | None = None,
    target: Object | None = None,
    *,
    wanted: str = "csi-clone",
    **fields: Any,
) -> Seen:
    source = source or claim("src")
    fields.setdefault("classes", [storage_class()])
    fields.setdefault("profiles", {"fast": profile(wanted)})
    fields.setdefault("origin", Origin(CloneSource(CLAIM, "ns", "src"), source))
    return Seen(
        target=target or claim("dv"), settings=SETTINGS, now=NOW, source_object={}, **fields
    )


SNAPS = [{"metadata": {"name": "snaps"}, "driver": DRIVER}]
OVERRIDE = {"spec": {"cloneStrategyOverride": "copy"}}
BLOCK = {"volumeMode": "Block"}
LARGER = claim("dv", "2Gi")
FIXED = [storage_class(grows=False)]
TWO = [storage_class(), storage_class("slow", OTHER)]
CSI_VOLUME = {
    "metadata": {"name": "pv"},
    "spec": {"claimRef": {"uid": "uid-src"}, "csi": {"driver": OTHER}},
}


@pytest.mark.parametrize(
    ("at", "how", "why"),
    [
        pytest.param(seen(), "csi-clone", "", id="as-the-profile-says"),
        pytest.param(seen(wanted="copy"), "copy", "", id="copy-needs-no-checks"),
        pytest.param(seen(installation=OVERRIDE), "copy", "", id="the-override-wins"),
        pytest.param(
            seen(wanted="snapshot"), "copy", "NoVolumeSnapshotClass", id="nothing-takes-snapshots"
        ),
        pytest.param(
            seen(wanted="snapshot", snapshot_classes=SNAPS), "snapshot", "", id="snapshot"
        ),
        pytest.param(seen(profiles={}), "copy", "NoVolumeSnapshotClass", id="no-profile"),
        pytest.param(
            seen(profiles={}, snapshot_classes=SNAPS), "snapshot", "", id="no-profile-is-snapshot"
        ),
        pytest.param(
            seen(claim("src", storageClassName="slow"), classes=TWO),
            "copy", "IncompatibleProvisioners", id="two-drivers",
        ),
        pytest.param(
            seen(origin=Origin(CloneSource(CLAIM, "ns", "src"), claim("src"), CSI_VOLUME)),
            "copy", "IncompatibleProvisioners", id="the-volume-knows-its-driver",
        ),
        pytest.param(
            seen(claim("src", **BLOCK)), "copy", "IncompatibleVolumeModes", id="two-modes"
        ),
        pytest.param(seen(target=LARGER), "csi-clone", "", id="larger-and-it-can-grow"),
        pytest.param(
            seen(target=LARGER, classes=FIXED), "copy", "NoVolumeExpansion", id="cannot-grow"
        ),
        pytest.param(
            seen(claim("src", capacity="2Gi"), target=LARGER, classes=FIXED),
            "csi-clone", "", id="the-source-is-larger-than-it-asked-for",
        ),
    ],
)  # fmt: skip
def test_the_strategy_of_a_claim(at: Seen, how: str, why: str) -> None:
    found = strategy.choose(at)
    assert (found.strategy, found.fallback) == (how, why)


def of_snapshot(
    target: Object | None = None,
    *,
    driver: str = DRIVER,
    size: str | None = "1Gi",
    mode: str | None = None,
    noted: str = "",
    **fields: Any,
) -> Seen:
    given = {known.SOURCE_VOLUME_MODE: noted} if noted else {}
    snapshot = {"metadata": {"name": "snap", "annotations": given}, "status": {"restoreSize": size}}
    spec = {"driver": driver} | ({"sourceVolumeMode": mode} if mode else {})
    source = CloneSource(SNAPSHOT, "ns", "snap")
    return seen(target=target, origin=Origin(source, snapshot, content={"spec": spec}), **fields)


@pytest.mark.parametrize(
    ("at", "how", "why"),
    [
        pytest.param(of_snapshot(), "snapshot", "", id="restored"),
        pytest.param(of_snapshot(wanted="copy"), "snapshot", "", id="the-profile-does-not-matter"),
        pytest.param(of_snapshot(driver=OTHER), "copy", "NoProvisionerMatch", id="other-driver"),
        pytest.param(
            of_snapshot(LARGER, classes=FIXED), "copy", "NoVolumeExpansion", id="cannot-grow"
        ),
        pytest.param(
            of_snapshot(mode="Block"), "copy", "IncompatibleVolumeModes", id="content-says-block"
        ),
        pytest.param(
            of_snapshot(noted="Block"), "copy", "IncompatibleVolumeModes", id="snapshot-says-block"
        ),
        pytest.param(of_snapshot(claim("dv", **BLOCK)), "snapshot", "", id="nobody-says"),
    ],
)
def test_the_strategy_of_a_snapshot(at: Seen, how: str, why: str) -> None:
    found = strategy.choose(at)
    assert (found.strategy, found.fallback) == (how, why)


@pytest.mark.parametrize(
    ("at", "error", "words"),
    [
        pytest.param(seen(claim("src", "2Gi")), TooSmall, "smaller than the source", id="smaller"),
        pytest.param(
            seen(origin=Origin(CloneSource(CLAIM, "ns", "src"))), SourceMissing, "does not exist",
            id="no-source",
        ),
        pytest.param(seen(wanted="rsync"), CannotClone, "'rsync'", id="no-such-strategy"),
        pytest.param(
            seen(wanted="snapshot", profiles={"fast": profile("snapshot", "gone")}),
            CannotClone, "gone", id="the-profile-names-a-class-that-is-gone",
        ),
        pytest.param(of_snapshot(size=None), CannotClone, "restoreSize", id="no-restore-size"),
    ],
)  # fmt: skip
def test_what_cannot_be_cloned_says_why(at: Seen, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        strategy.choose(at)


def test_the_minimum_of_the_storage_counts_as_asked_for() -> None:
    least = {"metadata": {"annotations": {known.MINIMUM_PVC_SIZE: "4Gi"}}, **profile("csi-clone")}
    at = seen(profiles={"fast": least}, classes=FIXED)
    assert strategy.choose(at).fallback == "NoVolumeExpansion"


# Storage that does not do it.


def begun(since: str, *, failing: bool = False) -> Seen:
    target = claim("dv")
    target["metadata"] |= {
        "annotations": {known.CLONE_TYPE: "csi-clone", known.CLONE_PHASE: "CSIClone"},
        "finalizers": ["cdi.kubevirt.io/clonePopulator"],
    }
    target["status"] = {"phase": "Pending"}
    temporary = claim("tmp")
    temporary["metadata"]["creationTimestamp"] = since
    temporary["status"] = {"phase": "Pending"}
    said = [{"type": "Warning", "reason": "ProvisioningFailed", "message": "no room"}]
    return seen(
        target=target,
        temporaries=Temporaries(claim=temporary),
        temporary_events=said if failing else (),
    )


@pytest.mark.parametrize(
    ("at", "gives_up"),
    [
        pytest.param(begun("2029-12-31T23:59:50Z", failing=True), False, id="it-may-try-again"),
        pytest.param(begun("2029-12-31T23:58:00Z", failing=True), True, id="it-keeps-failing"),
        pytest.param(begun("2029-12-31T23:58:00Z"), False, id="it-may-take-a-while"),
        pytest.param(begun("2029-12-31T23:40:00Z"), True, id="it-hangs"),
    ],
)
def test_storage_that_does_not_clone_is_given_up(at: Seen, gives_up: bool) -> None:
    wanted = decide.decide(at)
    change = next((x for x in wanted.steps if isinstance(x, plan.Change)), None)
    noted = change.wanted["metadata"]["annotations"] if change else {}
    assert (noted.get(known.CLONE_TYPE) == "copy") is gives_up
    told = [each.reason for each in wanted.events]
    assert ("CloneAttemptFailed" in told) is gives_up
    assert gives_up or wanted.again_in == attempt.LOOK_AGAIN


# Who uses the source.


def pod(name: str = "user", *, phase: str = "Running", **container: Any) -> Object:
    read_only = container.pop("claim_read_only", False)
    return {
        "metadata": {"name": name, "labels": container.pop("labels", {})},
        "spec": {
            "containers": [container],
            "volumes": [
                {
                    "name": "disk",
                    "persistentVolumeClaim": {"claimName": "src", "readOnly": read_only},
                }
            ],
        },
        "status": {"phase": phase},
    }


WRITES = {"volumeMounts": [{"name": "disk", "mountPath": "/x"}]}
READS = {"volumeMounts": [{"name": "disk", "mountPath": "/x", "readOnly": True}]}
DEVICE = {"volumeDevices": [{"name": "disk", "devicePath": "/x"}]}
OURS = {"labels": {"cdi.kubevirt.io": "cdi-clone-source"}}


@pytest.mark.parametrize(
    ("user", "in_use"),
    [
        pytest.param(pod(**WRITES), True, id="writes"),
        pytest.param(pod(**READS), False, id="reads"),
        pytest.param(pod(**DEVICE), True, id="has-the-device"),
        pytest.param(pod(claim_read_only=True, **DEVICE), False, id="the-claim-is-read-only"),
        pytest.param(pod(phase="Succeeded", **WRITES), False, id="is-over"),
        pytest.param(pod(phase="Pending", **WRITES), True, id="is-about-to-start"),
        pytest.param(pod(**WRITES, **OURS), False, id="is-ours"),
        pytest.param(
            pod("size-detection-1", labels={"cdi.kubevirt.io": "importer"}, **WRITES), False,
            id="measures",
        ),
        pytest.param(pod("importer-1", labels={"cdi.kubevirt.io": "importer"}, **WRITES), True,
                     id="imports"),
    ],
)  # fmt: skip
def test_a_source_that_somebody_writes_is_in_use(user: Object, in_use: bool) -> None:
    found = use.busy(Origin(CloneSource(CLAIM, "ns", "src"), claim("src"), users=[user]))
    assert (found is not None) is in_use
    if found is not None:
        assert found.in_use
        assert user["metadata"]["name"] in found.why


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        pytest.param({"status": {"phase": "ImportInProgress"}}, "still being filled", id="fills"),
        pytest.param({"status": {"phase": "Succeeded"}}, "", id="filled"),
        pytest.param(None, "still being filled", id="its-data-volume-is-not-to-be-found"),
    ],
)
def test_a_source_has_to_be_filled(owner: Object | None, words: str) -> None:
    source = CloneSource(CLAIM, "ns", "src")
    found = use.busy(Origin(source, claim("src"), owner=owner, owned=True))
    assert (found.why if found else "") == "" if not words else words in str(found)


def unscheduled_copy(phase: str, binding: str) -> Seen:
    """A copy whose pod has found no node; its temporary claim may have no volume yet."""
    temporary = claim("tmp-pvc-uid-dv")
    temporary["status"] = {"phase": phase}
    del temporary["spec"]["dataSourceRef"]
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod = {
        "metadata": {"name": "uid-tmp-pvc-uid-dv-copy-source-pod", "namespace": "ns", "uid": "p"},
        "spec": {}, "status": {"phase": "Pending", "conditions": [unschedulable]},
    }  # fmt: skip
    return seen(
        wanted="copy",
        classes=[{**storage_class(), "volumeBindingMode": binding}],
        temporaries=Temporaries(claim=temporary, copy_pod=pod),
    )


@pytest.mark.parametrize(
    ("phase", "binding", "sent"),
    [
        pytest.param("Pending", "Immediate", False, id="its-volume-is-being-made"),
        pytest.param("Bound", "Immediate", True, id="no-node-has-both"),
        pytest.param("Pending", "WaitForFirstConsumer", True, id="no-node-can-have-both"),
    ],
)
def test_a_copy_goes_over_the_network_when_it_has_to(phase: str, binding: str, sent: bool) -> None:
    outcome = copying.copy_claim(unscheduled_copy(phase, binding))
    changed = [each for each in outcome.wanted.steps if isinstance(each, plan.Change)]
    asked = [known.CLONE_REQUEST in each.wanted["metadata"]["annotations"] for each in changed]
    assert asked == ([True] if sent else [])
