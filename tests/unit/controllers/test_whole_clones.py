"""Whole clones on a cluster of plain data, and the same with a crash before every single write."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.kube import objects
from cdi.kube.objects import Object
from support import world
from support.world import World, with_classes

ORDER = (
    "", "Pending", "PendingPopulation", "PVCBound",
    "CloneScheduled", "SnapshotForSmartCloneInProgress",
    "CloneFromSnapshotSourceInProgress", "CSICloneInProgress", "CloneInProgress",
    "PrepClaimInProgress", "RebindInProgress", "Succeeded",
)  # fmt: skip
SOURCE = {"pvc": {"namespace": "ns", "name": "src"}}


def started(strategy: str = "csi-clone", *, storage: Any = None) -> World:
    """A cluster with a CSI class of this strategy, and a claim that holds something."""
    found = with_classes(World(storage=storage or world.Storage()))
    for each in found.cluster.classes.list():
        given = {known.CLONE_STRATEGY: strategy}
        more = {"allowVolumeExpansion": True, "metadata": {"annotations": given}}
        found.put("classes", world.merged(each, more))
    if strategy != "in-place":
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.put("snapshot_classes", {"metadata": {"name": "snaps"}, "driver": world.DRIVER})
    found.put("claims", {
        "metadata": {"name": "src"}, "spec": world.pvc_spec(), "status": {"phase": "Pending"},
    })  # fmt: skip
    found.settle()
    return found


def clone(found: World, crash_at: int | None = None, **volume: Any) -> World:
    if crash_at is not None:
        found.crash_at = len(found.writes) + crash_at
    volume.setdefault("source", SOURCE)
    found.put("data_volumes", world.data_volume(**volume))
    found.settle()
    return found


def phase_of(found: World, name: str = "dv") -> str:
    return str(objects.get(found.get_one("data_volumes", name), "status", "phase"))


def content_of(found: World, name: str, namespace: str = "ns") -> str:
    claim = found.get_one("claims", name, namespace)
    volume = found.get_one("volumes", str(objects.get(claim, "spec", "volumeName")))
    return str((volume or {}).get("content"))


def larger(**fields: Any) -> Object:
    requests = {"resources": {"requests": {"storage": "2Gi"}}}
    return {"source": SOURCE, "pvc": world.pvc_spec(**{**requests, **fields})}


CASES = [
    pytest.param("csi-clone", {}, id="csi-clone"),
    pytest.param("csi-clone", {"spec": larger()}, id="csi-clone-larger"),
    pytest.param("snapshot", {}, id="snapshot"),
    pytest.param("snapshot", {"spec": larger()}, id="snapshot-larger"),
    pytest.param("copy", {}, id="copy"),
    pytest.param("copy", {"spec": larger()}, id="copy-larger"),
    pytest.param("in-place", {}, id="in-place"),
]


@pytest.mark.parametrize(("strategy", "volume"), CASES)
def test_a_clone_has_the_content_and_leaves_nothing_behind(strategy: str, volume: Object) -> None:
    found = clone(started(strategy), **volume)
    assert phase_of(found) == "Succeeded", found.phases
    assert content_of(found, "dv") == content_of(found, "src")
    assert sorted(objects.name(each) for each in found.cluster.claims.list()) == ["dv", "src"]
    assert len(found.cluster.pods) == len(found.cluster.snapshots) == 0
    assert len(found.cluster.clone_sources) == 0
    target = found.get_one("claims", "dv") or {}
    used = "copy" if strategy == "in-place" else strategy
    assert objects.annotations(target)[known.CLONE_TYPE] == used
    assert objects.finalizers(target) == []


@pytest.mark.parametrize(("strategy", "volume"), CASES)
def test_phases_never_go_back(strategy: str, volume: Object) -> None:
    found = clone(started(strategy), **volume)
    places = [ORDER.index(each) for each in found.phases["dv"]]
    assert places == sorted(places), found.phases


@pytest.mark.parametrize(("strategy", "volume"), CASES)
def test_a_crash_before_any_write_changes_nothing_about_the_end(
    strategy: str, volume: Object
) -> None:
    straight = started(strategy)
    before = len(straight.writes)
    wanted = clone(straight, **volume).picture()
    for crash_at in range(len(straight.writes) - before):
        found = clone(started(strategy), crash_at, **volume)
        assert found.picture() == wanted, crash_at
