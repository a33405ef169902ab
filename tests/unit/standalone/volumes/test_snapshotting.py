"""What becomes of a VolumeSnapshot, and what a claim can be made from: tables."""

from typing import Any

import pytest

from cdi.kube.objects import Object
from cdi.standalone.volumes import origins, snapshotting
from cdi.standalone.volumes.origins import DataSource
from cdi.standalone.volumes.snapshotting import Seen, Step
from cdi.storage import local

OURS = {"driver": local.PROVISIONER, "metadata": {"name": "local-snapshots"}}
OTHER = {"driver": "other.example"}
MADE_BY_US = {"pv.kubernetes.io/provisioned-by": local.PROVISIONER}
READY = {"readyToUse": True, "restoreSize": "1Gi"}


def snapshot(status: Object | None = None, **meta: Any) -> Object:
    return {
        "metadata": {"name": "s", "namespace": "ns", "uid": "u", **meta},
        "spec": {"source": {"persistentVolumeClaimName": "a"}},
        "status": status or {},
    }


def claim(phase: str = "Bound", size: str = "1Gi", mode: str = "Filesystem") -> Object:
    spec = {"volumeMode": mode, "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": "a", "namespace": "ns"}, "spec": spec, "status": {"phase": phase}}


def volume(*, ours: bool = True, size: str = "1Gi") -> Object:
    given = MADE_BY_US if ours else {}
    return {
        "metadata": {"name": "pv", "annotations": given},
        "spec": {"capacity": {"storage": size}},
    }


def content(driver: str = local.PROVISIONER, mode: str = "Filesystem") -> Object:
    return {
        "metadata": {"name": "snapcontent-u"},
        "spec": {"driver": driver, "sourceVolumeMode": mode},
        "status": {"snapshotHandle": "snapcontent-u"},
    }


GOING = {"deletionTimestamp": "x", "finalizers": [snapshotting.BOUND]}


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        pytest.param(Seen(snapshot(), snapshot_class=OTHER), Step.NONE, id="of-another-driver"),
        pytest.param(Seen(snapshot()), Step.NONE, id="of-no-class"),
        pytest.param(Seen(snapshot(), snapshot_class=OURS), Step.FAIL, id="without-its-claim"),
        pytest.param(
            Seen(snapshot(), snapshot_class=OURS, claim=claim("Pending")), Step.FAIL, id="unbound"
        ),
        pytest.param(
            Seen(snapshot(), snapshot_class=OURS, claim=claim(), volume=volume(ours=False)),
            Step.FAIL,
            id="of-a-volume-of-others",
        ),
        pytest.param(
            Seen(snapshot(), snapshot_class=OURS, claim=claim(), volume=volume()),
            Step.CREATE,
            id="its-content-comes-first",
        ),
        pytest.param(
            Seen(snapshot(), content(), OURS, claim(), volume()), Step.TAKE, id="then-its-data"
        ),
        pytest.param(Seen(snapshot(), content(), OURS), Step.TAKE, id="its-claim-may-be-gone"),
        pytest.param(Seen(snapshot(READY), content(), OURS), Step.NONE, id="ready"),
        pytest.param(Seen(snapshot(READY, **GOING), content(), OURS), Step.ERASE, id="going"),
        pytest.param(Seen(snapshot(**GOING), None, OURS), Step.ERASE, id="going-with-nothing"),
    ],
)
def test_what_becomes_of_a_snapshot(seen: Seen, step: Step) -> None:
    found = snapshotting.decide(seen)
    assert found.step is step
    assert bool(found.why) is (step is Step.FAIL)


@pytest.mark.parametrize(
    ("source", "wanted", "words"),
    [
        pytest.param(DataSource("PersistentVolumeClaim", "a"), claim(), "does not exist", id="no"),
        pytest.param(
            DataSource("PersistentVolumeClaim", "a", claim("Pending")), claim(), "not bound",
            id="unbound",
        ),
        pytest.param(
            DataSource("PersistentVolumeClaim", "a", claim(), volume(ours=False)), claim(),
            "not on a local volume", id="of-others",
        ),
        pytest.param(
            DataSource("PersistentVolumeClaim", "a", claim(mode="Block"), volume()), claim(),
            "volumeMode Block", id="of-the-other-mode",
        ),
        pytest.param(
            DataSource("PersistentVolumeClaim", "a", claim(), volume(size="2Gi")), claim(),
            "asks for", id="larger",
        ),
        pytest.param(
            DataSource("PersistentVolumeClaim", "a", claim(), volume()), claim(size="2Gi"), "",
            id="a-claim",
        ),
        pytest.param(
            DataSource("VolumeSnapshot", "s", snapshot(), content()), claim(), "not ready",
            id="a-snapshot-that-is-not-ready",
        ),
        pytest.param(
            DataSource("VolumeSnapshot", "s", snapshot(READY), content("other.example")), claim(),
            "not taken here", id="a-snapshot-of-others",
        ),
        pytest.param(
            DataSource("VolumeSnapshot", "s", snapshot(READY), content()), claim(), "",
            id="a-snapshot",
        ),
        pytest.param(
            DataSource("VolumeSnapshot", "s", snapshot(READY), content()), claim(size="512Mi"),
            "asks for", id="a-larger-snapshot",
        ),
    ],
)  # fmt: skip
def test_what_a_claim_can_be_made_from(source: DataSource, wanted: Object, words: str) -> None:
    found = origins.why_not(wanted, source)
    assert (words in found) if words else found == ""
