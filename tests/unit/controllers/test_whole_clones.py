"""Whole clones on a cluster of plain data, and the same with a crash before every single write."""

from types import SimpleNamespace
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


def started(strategy: str = "csi-clone", *, tokens: Any = None) -> World:
    """A cluster with a CSI class of this strategy, and a claim that holds something."""
    found = with_classes(World(tokens=tokens))
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


def test_a_copy_that_is_not_to_wait_for_a_consumer_is_the_consumer_itself() -> None:
    late = {"source": SOURCE, "pvc": world.pvc_spec(storageClassName="late")}
    waiting = clone(started("in-place"), spec=late)
    assert phase_of(waiting) == "WaitForFirstConsumer"
    at_once = clone(started("in-place"), spec=late, annotations={known.BIND_IMMEDIATE: ""})
    assert phase_of(at_once) == "Succeeded"
    assert content_of(at_once, "dv") == content_of(at_once, "src")


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


# A snapshot, where claims cannot be filled before they are bound.

SNAPSHOT = {"snapshot": {"namespace": "ns", "name": "snap"}}


def with_snapshot() -> World:
    """Storage of a CSI driver that is not populated, and a snapshot of its claim."""
    found = started("in-place")
    found.put("snapshots", {
        "metadata": {"name": "snap"},
        "spec": {"source": {"persistentVolumeClaimName": "src"},
                 "volumeSnapshotClassName": "snaps"},
    })  # fmt: skip
    found.settle()
    return found


def test_a_snapshot_is_restored_and_that_is_copied() -> None:
    found = clone(with_snapshot(), source=SNAPSHOT)
    assert phase_of(found) == "Succeeded", found.phases
    assert content_of(found, "dv") == content_of(found, "src")
    assert sorted(objects.name(each) for each in found.cluster.claims.list()) == ["dv", "src"]
    assert len(found.cluster.pods) == 0
    volume, target = found.get_one("data_volumes", "dv") or {}, found.get_one("claims", "dv") or {}
    assert objects.finalizers(volume) == objects.finalizers(target) == []
    given = objects.annotations(target)
    assert given[known.CLONE_REQUEST] == f"ns/{objects.uid(volume)}-host-assisted-source-pvc"
    assert given[known.CLONE_TYPE] == "copy"
    assert "In tree storage class" in given[known.CLONE_FALLBACK_REASON]


def test_a_crash_before_any_write_of_a_restored_copy_is_mended() -> None:
    straight = with_snapshot()
    before = len(straight.writes)
    wanted = clone(straight, source=SNAPSHOT).picture()
    for crash_at in range(len(straight.writes) - before):
        found = clone(with_snapshot(), crash_at, source=SNAPSHOT)
        assert found.picture() == wanted, crash_at


def test_a_snapshot_without_a_class_of_its_driver_is_not_cloned() -> None:
    found = with_snapshot()
    content = next(iter(found.cluster.snapshot_contents.list()))
    found.put("snapshot_contents", world.merged(content, {"spec": {"driver": "other.example"}}))
    clone(found, source=SNAPSHOT)
    assert found.get_one("claims", "dv") is None
    assert "CloneValidationFailed" in found.reasons_told("DataVolume")


def test_a_restored_claim_that_waits_for_a_consumer_is_bound_by_its_copy() -> None:
    found = with_snapshot()
    for each in found.cluster.classes.list():
        found.put("classes", {**each, "volumeBindingMode": "WaitForFirstConsumer"})
    clone(found, source=SNAPSHOT, annotations={known.BIND_IMMEDIATE: ""})
    assert phase_of(found) == "Succeeded", found.phases
    assert content_of(found, "dv") == content_of(found, "src")


# From another namespace.


class Tokens:
    """Tokens as words: what they allow, and nothing that would have to be signed."""

    def short(self, token: str, at: object) -> SimpleNamespace | None:
        return self._read(token, "short")

    def extended(self, token: str) -> SimpleNamespace | None:
        return self._read(token, "extended")

    def extend(self, token: str, uid: str, at: object) -> str:
        kind, *allowed, _ = token.split("|")
        return "|".join(["extended", *allowed, uid]) if kind in ("short", "extended") else ""

    def _read(self, token: str, wanted: str) -> SimpleNamespace | None:
        names = ("resource", "namespace", "name", "target_namespace", "target_name", "uid")
        kind, *allowed = token.split("|")
        return SimpleNamespace(**dict(zip(names, allowed, strict=True))) if kind == wanted else None


SHORT = "short|persistentvolumeclaims|golden|src|ns|dv|"
ELSEWHERE = {"pvc": {"namespace": "golden", "name": "src"}}


def over_namespaces(
    strategy: str, crash_at: int | None = None, token: str = SHORT
) -> tuple[World, int]:
    """A clone from another namespace, and how many writes there were before it."""
    found = started(strategy, tokens=Tokens())
    found.put("claims", {
        "metadata": {"name": "src", "namespace": "golden"}, "spec": world.pvc_spec(),
        "status": {"phase": "Pending"},
    })  # fmt: skip
    found.settle()
    before = len(found.writes)
    noted = {known.CLONE_TOKEN: token} if token else {}
    clone(found, crash_at, source=ELSEWHERE, annotations=noted)
    return found, before


@pytest.mark.parametrize("strategy", ["csi-clone", "snapshot", "copy"])
def test_a_clone_from_another_namespace_leaves_nothing_there(strategy: str) -> None:
    found, _ = over_namespaces(strategy)
    assert phase_of(found) == "Succeeded", found.phases
    assert content_of(found, "dv") == content_of(found, "src", "golden")
    assert [objects.name(x) for x in found.cluster.claims.list("golden")] == ["src"]
    assert len(found.cluster.clone_sources) == len(found.cluster.snapshots) == 0
    volume, target = found.get_one("data_volumes", "dv") or {}, found.get_one("claims", "dv") or {}
    assert objects.finalizers(volume) == objects.finalizers(target) == []
    said = objects.annotations(target)[known.EXTENDED_CLONE_TOKEN]
    assert said.endswith(f"|{objects.uid(target)}")


@pytest.mark.parametrize("strategy", ["csi-clone", "snapshot", "copy"])
def test_a_crash_before_any_write_of_a_clone_between_namespaces_is_mended(strategy: str) -> None:
    straight, before = over_namespaces(strategy)
    wanted = straight.picture()
    for crash_at in range(len(straight.writes) - before):
        found, _ = over_namespaces(strategy, crash_at)
        assert found.picture() == wanted, crash_at


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param(SHORT.replace("src", "other"), id="for-another-source"),
        pytest.param(SHORT.replace("|dv|", "|other|"), id="for-another-target"),
        pytest.param("extended" + SHORT[5:], id="not-of-a-webhook"),
    ],
)
def test_without_a_good_token_nothing_is_cloned(token: str) -> None:
    found, _ = over_namespaces("csi-clone", token=token)
    assert phase_of(found) != "Succeeded"
    assert "NotAuthorized" in found.reasons_told("DataVolume")
    assert [objects.name(x) for x in found.cluster.claims.list("golden")] == ["src"]
    assert found.get_one("claims", "dv") is None


# The end comes early.


@pytest.mark.parametrize("strategy", ["csi-clone", "snapshot", "copy", "in-place", "restored"])
def test_a_data_volume_that_is_deleted_at_any_moment_leaves_nothing(strategy: str) -> None:
    source = SNAPSHOT if strategy == "restored" else SOURCE
    straight = _at_rest(strategy)
    before = len(straight.writes)
    steps = len(clone(straight, source=source).writes) - before
    for moment in range(steps):
        found = _at_rest(strategy)
        snapshots = len(found.cluster.snapshots)
        found.crash_at = len(found.writes) + moment
        found.put("data_volumes", world.data_volume(source=source))
        while not found.has_crashed:
            found.take_turns()
        found.drop("data_volumes", found.get_one("data_volumes", "dv") or {})
        found.settle()
        assert [objects.name(x) for x in found.cluster.claims.list()] == ["src"], moment
        assert len(found.cluster.pods) == 0, moment
        assert len(found.cluster.snapshots) == snapshots, moment
        assert len(found.cluster.clone_sources) == 0, moment


def _at_rest(strategy: str) -> World:
    return with_snapshot() if strategy == "restored" else started(strategy)
