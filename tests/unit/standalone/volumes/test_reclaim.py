"""What becomes of a volume, from one snapshot."""

from __future__ import annotations

import pytest

from cdi.kube.objects import Object
from cdi.standalone.volumes import reclaim
from cdi.standalone.volumes.reclaim import Plan, Seen

OURS = {"pv.kubernetes.io/provisioned-by": "cdi.kubevirt.io/local"}
PICKED = {"pv.kubernetes.io/bound-by-controller": "yes"}


def volume(
    owner: str | None = "u", *, policy: str = "Delete", deleted: bool = False,
    annotations: dict[str, str] | None = None, ref: bool = True,
) -> Object:  # fmt: skip
    metadata: Object = {"name": "pv", "annotations": OURS if annotations is None else annotations}
    if deleted:
        metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    spec: Object = {"persistentVolumeReclaimPolicy": policy}
    if ref:
        spec["claimRef"] = {"namespace": "ns", "name": "a"} | ({"uid": owner} if owner else {})
    return {"metadata": metadata, "spec": spec}


def claim(volume_name: str = "pv", uid: str = "u") -> Object:
    return {
        "metadata": {"name": "a", "namespace": "ns", "uid": uid},
        "spec": {"volumeName": volume_name},
    }


CASES = [
    pytest.param(Seen(volume(ref=False)), Plan("Available"), id="nobody's"),
    pytest.param(Seen(volume(None)), Plan("Available"), id="promised"),
    pytest.param(Seen(volume(None), claim("")), Plan("Available"), id="promised-and-awaited"),
    pytest.param(Seen(volume(), claim("")), Plan(), id="about-to-be-bound"),
    pytest.param(Seen(volume(), claim()), Plan("Bound"), id="bound"),
    pytest.param(Seen(volume(deleted=True), claim()), Plan("Bound"), id="deleted-while-bound"),
    pytest.param(Seen(volume()), Plan("Released", delete=True), id="released"),
    pytest.param(
        Seen(volume(), claim(uid="new")), Plan("Released", delete=True), id="claim-made-anew"
    ),
    pytest.param(Seen(volume(policy="Retain")), Plan("Released"), id="released-and-kept"),
    pytest.param(
        Seen(volume(annotations={})), Plan("Released"), id="data-of-others-is-not-ours-to-delete"
    ),
    pytest.param(
        Seen(volume(deleted=True)), Plan(erase=True, let_go=True), id="goes-with-its-data"
    ),
    pytest.param(
        Seen(volume(deleted=True, policy="Retain")), Plan(let_go=True), id="goes-without-its-data"
    ),
    pytest.param(
        Seen(volume(), claim("other")), Plan("Released", delete=True), id="made-in-vain"
    ),
    pytest.param(
        Seen(volume(annotations=PICKED), claim("other")), Plan(unbind=True), id="picked-in-vain"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "plan"), CASES)
def test_a_volume_takes_one_step(seen: Seen, plan: Plan) -> None:
    assert reclaim.decide(seen) == plan
