"""
What a claim with a data source is made from: another claim's volume, or a snapshot. Pure.

Only our own volumes and snapshots can be, of the same mode and no larger. What is not there yet
is waited for, with a word on it for the people who watch the claim.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import local

CLAIM = "PersistentVolumeClaim"
SNAPSHOT = "VolumeSnapshot"
KINDS = (CLAIM, SNAPSHOT)


@dataclass(frozen=True, slots=True)
class DataSource:
    """What a claim names; the objects are None where they do not exist."""

    kind: str
    name: str
    object: Object | None = None  # the claim or the snapshot
    backing: Object | None = None  # its PersistentVolume or VolumeSnapshotContent


def reference_of(claim: Object) -> tuple[str, str]:
    """Kind and name of what a claim is to be made from; empty where it starts empty."""
    spec = claim.get("spec") or {}
    source = spec.get("dataSourceRef") or spec.get("dataSource") or {}
    return str(source.get("kind", "")), str(source.get("name", ""))


def handle_of(source: DataSource) -> str:
    """The name of the volume or the snapshot in the pool."""
    if source.kind == CLAIM:
        return objects.name(source.backing or {})
    return str(objects.get(source.backing, "status", "snapshotHandle", default=""))


def why_not(claim: Object, source: DataSource) -> str:
    """Why a claim cannot be made from it now; empty if it can."""
    what = f"{source.kind} {source.name}"
    if source.object is None:
        return f"{what} does not exist"
    if objects.is_deleting(source.object):
        return f"{what} is being deleted"
    return (_of_claim if source.kind == CLAIM else _of_snapshot)(claim, source, what)


def _of_claim(claim: Object, source: DataSource, what: str) -> str:
    found, volume = source.object or {}, source.backing
    if facts.phase(found) != facts.BOUND or volume is None:
        return f"{what} is not bound"
    if not is_ours(volume):
        return f"{what} is not on a local volume of this machine"
    return _mismatch(claim, what, facts.volume_mode(found), facts.capacity(volume))


def _of_snapshot(claim: Object, source: DataSource, what: str) -> str:
    found, content = source.object or {}, source.backing
    if objects.get(found, "status", "readyToUse") is not True or content is None:
        return f"{what} is not ready to use"
    if objects.get(content, "spec", "driver") != local.PROVISIONER:
        return f"{what} was not taken here"
    mode = str(objects.get(content, "spec", "sourceVolumeMode") or facts.volume_mode(claim))
    size = facts.size_of(objects.get(found, "status", "restoreSize"))
    return _mismatch(claim, what, mode, size)


def _mismatch(claim: Object, what: str, mode: str, size: int) -> str:
    if facts.volume_mode(claim) != mode:
        return f"{what} has volumeMode {mode}, and the claim {facts.volume_mode(claim)}"
    if facts.requested(claim) < size:
        return f"{what} has {size} bytes, and the claim asks for {facts.requested(claim)}"
    return ""


def is_ours(volume: Object) -> bool:
    """Whether a PersistentVolume was made by our provisioner."""
    return objects.annotations(volume).get(facts.PROVISIONED_BY) == local.PROVISIONER
