"""
What is to become of one VolumeSnapshot: a decision from one snapshot of the world, with no I/O.

A snapshot gets its content object first, which holds where its data is, then its data, then the
word that it is ready. It goes the other way round: the data, the content object, its finalizer.
Only snapshots of our own volumes are taken, and of classes of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cdi.binding import facts
from cdi.controllers import kinds
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.standalone.volumes import origins
from cdi.storage import local

BOUND: Final = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"
CONTENT_BOUND: Final = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"


@dataclass(frozen=True, slots=True)
class Seen:
    """One snapshot and what its fate depends on."""

    snapshot: Object
    content: Object | None = None
    snapshot_class: Object | None = None  # that it names, or the one of ours if it names none
    claim: Object | None = None
    volume: Object | None = None  # the claim's


class Step(StrEnum):
    """What is done to the snapshot."""

    NONE = "none"
    FAIL = "fail"  # say why it cannot be taken
    CREATE = "create"  # its content object, and hold it
    TAKE = "take"  # its data, then say that it is ready
    ERASE = "erase"  # its data, content and finalizer


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step."""

    step: Step = Step.NONE
    why: str = ""


def decide(seen: Seen) -> Plan:
    """Choose the next step for a snapshot."""
    snapshot = seen.snapshot
    if not _is_ours(seen):
        return Plan()
    if objects.is_deleting(snapshot):
        held = BOUND in objects.finalizers(snapshot)
        return Plan(Step.ERASE) if held or seen.content is not None else Plan()
    if objects.get(snapshot, "status", "readyToUse") is True and seen.content is not None:
        return Plan()
    if seen.content is None and (why := _why_not(seen)):
        return Plan(Step.FAIL, why)
    return Plan(Step.TAKE if seen.content is not None else Step.CREATE)


def _is_ours(seen: Seen) -> bool:
    if seen.content is not None:
        return bool(objects.get(seen.content, "spec", "driver") == local.PROVISIONER)
    return bool((seen.snapshot_class or {}).get("driver") == local.PROVISIONER)


def _why_not(seen: Seen) -> str:
    name = objects.get(seen.snapshot, "spec", "source", "persistentVolumeClaimName")
    if not name:
        return "only snapshots of claims are taken: set spec.source.persistentVolumeClaimName"
    if seen.claim is None:
        return f"PersistentVolumeClaim {name} does not exist"
    if facts.phase(seen.claim) != facts.BOUND or seen.volume is None:
        return f"PersistentVolumeClaim {name} is not bound"
    if not origins.is_ours(seen.volume):
        return f"PersistentVolumeClaim {name} is not on a local volume of this machine"
    return ""


def name_for(snapshot: Object) -> str:
    """The name of the content object, and of the data."""
    return f"snapcontent-{objects.uid(snapshot)}"


def content_for(seen: Seen) -> Object:
    """The content object of a snapshot."""
    snapshot, found = seen.snapshot, seen.snapshot_class or {}
    return {
        "apiVersion": kinds.SNAPSHOT_CONTENTS.api_version,
        "kind": kinds.SNAPSHOT_CONTENTS.kind,
        "metadata": {"name": name_for(snapshot), "finalizers": [CONTENT_BOUND]},
        "spec": {
            "deletionPolicy": found.get("deletionPolicy", "Delete"),
            "driver": local.PROVISIONER,
            "source": {"volumeHandle": objects.name(seen.volume or {})},
            "sourceVolumeMode": facts.volume_mode(seen.claim or {}),
            "volumeSnapshotClassName": objects.name(found),
            "volumeSnapshotRef": {
                "apiVersion": kinds.SNAPSHOTS.api_version,
                "kind": kinds.SNAPSHOTS.kind,
                "namespace": objects.namespace(snapshot),
                "name": objects.name(snapshot),
                "uid": objects.uid(snapshot),
            },
        },
    }
