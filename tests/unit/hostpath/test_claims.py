"""What becomes of claims and volumes, decided from plain objects."""

from __future__ import annotations

from typing import Any

import pytest

from cdi.hostpath.provisioning import claims, reclaim
from cdi.hostpath.provisioning.claims import Plan, Rules, Seen, Step

NAME = "kubevirt.io.hostpath-provisioner"
RULES = Rules(NAME, "node-a")
LEGACY = Rules(NAME, "node-a", block=False, competes=False, grows=False, shares=False)
WAITING = {"provisioner": NAME, "volumeBindingMode": "WaitForFirstConsumer"}
AT_ONCE = {"provisioner": NAME, "volumeBindingMode": "Immediate"}
SELECTED = "volume.kubernetes.io/selected-node"


def claim(annotations: Any = None, *, provisioner: str = NAME, **spec: Any) -> Any:
    noted = {"volume.kubernetes.io/storage-provisioner": provisioner, **(annotations or {})}
    return {
        "metadata": {"name": "c", "namespace": "n", "uid": "1", "annotations": noted},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, **spec},
        "status": {"phase": "Pending"},
    }


def volume(node: str = "node-a", *, phase: str = "Bound", **spec: Any) -> Any:
    key = "topology.hostpath.csi/node"
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": [node]}]}
    return {
        "metadata": {"name": "pvc-1", "annotations": {"pv.kubernetes.io/provisioned-by": NAME}},
        "spec": {
            "claimRef": {"namespace": "n", "name": "c", "uid": "1"},
            "persistentVolumeReclaimPolicy": "Delete",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            **spec,
        },
        "status": {"phase": phase},
    }


def bound(request: str, granted: str) -> Any:
    made = claim(volumeName="pvc-1", resources={"requests": {"storage": request}})
    made["status"] = {"phase": "Bound", "capacity": {"storage": granted}}
    return made


HERE, THERE = {SELECTED: "node-a"}, {SELECTED: "node-b"}
SNAPSHOT = {"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "s"}
FOREIGN = {"kind": "VolumeImportSource", "apiGroup": "cdi.kubevirt.io", "name": "s"}


@pytest.mark.parametrize(("seen", "step"), [
    pytest.param(Seen(claim(HERE), WAITING), Step.PROVISION, id="a-pod-chose-this-node"),
    pytest.param(Seen(claim(THERE), WAITING), Step.NONE, id="a-pod-chose-another-node"),
    pytest.param(Seen(claim(), WAITING), Step.NONE, id="no-pod-yet"),
    pytest.param(Seen(claim(), AT_ONCE), Step.CLAIM, id="nobody-has-it-yet"),
    pytest.param(Seen(claim(THERE), AT_ONCE), Step.NONE, id="another-node-was-first"),
    pytest.param(Seen(claim(HERE), AT_ONCE), Step.PROVISION, id="we-were-first"),
    pytest.param(Seen(claim(HERE, provisioner="x"), WAITING), Step.NONE, id="not-yet-ours"),
    pytest.param(Seen(claim(HERE), {"provisioner": "x"}), Step.NONE, id="class-of-others"),
    pytest.param(Seen(claim(HERE), None), Step.NONE, id="no-class"),
    pytest.param(Seen(claim(HERE, dataSourceRef=SNAPSHOT), WAITING), Step.PROVISION, id="restore"),
    pytest.param(Seen(claim(HERE, dataSourceRef=FOREIGN), WAITING), Step.NONE, id="populated"),
    pytest.param(Seen(claim(HERE, volumeMode="Block"), WAITING), Step.PROVISION, id="block"),
    pytest.param(Seen(claim(HERE, volumeName="pv"), WAITING), Step.NONE, id="has-a-volume"),
    pytest.param(Seen(bound("2Gi", "1Gi"), WAITING, volume()), Step.GROW, id="wants-more"),
    pytest.param(Seen(bound("1Gi", "2Gi"), WAITING, volume()), Step.NONE, id="has-enough"),
    pytest.param(
        Seen(bound("2Gi", "1Gi"), WAITING, volume("node-b")), Step.NONE, id="grows-elsewhere"
    ),
])  # fmt: skip
def test_a_claim_is_provisioned_where_it_is_wanted(seen: Seen, step: Step) -> None:
    assert claims.decide(seen, RULES).step == step


@pytest.mark.parametrize(("seen", "step"), [
    pytest.param(Seen(claim(HERE), WAITING), Step.PROVISION, id="a-pod-chose-this-node"),
    pytest.param(Seen(claim(), AT_ONCE), Step.NONE, id="at-once-is-deprecated"),
    pytest.param(
        Seen(claim({"kubevirt.io/provisionOnNode": "node-a"}), AT_ONCE), Step.PROVISION,
        id="somebody-named-this-node",
    ),
    pytest.param(
        Seen(claim({"kubevirt.io/provisionOnNode": "node-b", **HERE}), WAITING), Step.NONE,
        id="somebody-named-another-node",
    ),
    pytest.param(Seen(claim(HERE, volumeMode="Block"), WAITING), Step.WARN, id="no-devices"),
    pytest.param(Seen(bound("2Gi", "1Gi"), WAITING, volume()), Step.NONE, id="does-not-grow"),
])  # fmt: skip
def test_the_legacy_provisioner_waits_for_a_node(seen: Seen, step: Step) -> None:
    assert claims.decide(seen, LEGACY).step == step


def deleting(obj: Any) -> Any:
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return obj


def namesake() -> Any:
    made = claim()
    made["metadata"]["uid"] = "2"
    return made


RETAINED = {"persistentVolumeReclaimPolicy": "Retain"}
GOES = reclaim.Plan(erase=True, let_go=True, delete=True)
STAYS = reclaim.Plan()


@pytest.mark.parametrize(("seen", "claim", "plan"), [
    pytest.param(volume(), claim(), STAYS, id="bound"),
    pytest.param(volume(phase="Released"), claim(), STAYS, id="the-claim-is-there"),
    pytest.param(volume(phase="Released"), None, GOES, id="released"),
    pytest.param(volume(phase="Released"), namesake(), GOES, id="released-and-a-namesake"),
    pytest.param(volume(phase="Released", **RETAINED), None, STAYS, id="retained"),
    pytest.param(volume(phase="Bound"), None, STAYS, id="not-yet-released"),
    pytest.param(
        deleting(volume(phase="Released", **RETAINED)), None, reclaim.Plan(let_go=True),
        id="a-retained-one-is-deleted-without-its-data",
    ),
    pytest.param(
        deleting(volume(phase="Released")), None, reclaim.Plan(erase=True, let_go=True),
        id="deleted-by-hand",
    ),
    pytest.param(deleting(volume()), claim(), STAYS, id="deleted-by-hand-while-bound"),
])  # fmt: skip
def test_a_volume_goes_as_its_policy_says(seen: Any, claim: Any, plan: reclaim.Plan) -> None:
    assert reclaim.decide(seen, claim) == plan


def test_a_claim_that_is_going_gets_nothing() -> None:
    assert claims.decide(Seen(deleting(claim(HERE)), WAITING), RULES) == Plan()


@pytest.mark.parametrize(("there", "rules", "here"), [
    pytest.param(volume(), RULES, True, id="on-this-node"),
    pytest.param(volume("node-b"), RULES, False, id="on-another-node"),
    pytest.param(volume(nodeAffinity=None), RULES, True, id="on-all-nodes"),
    pytest.param(volume(nodeAffinity=None), LEGACY, False, id="directories-are-of-one-node"),
    pytest.param(volume(), Rules("other", "node-a"), False, id="somebody-elses"),
])  # fmt: skip
def test_whose_a_volume_is(there: Any, rules: Rules, here: bool) -> None:
    assert claims.is_on_node(there, rules) == here
