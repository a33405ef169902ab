"""Which VolumeSnapshotClass takes the snapshot of a clone, and which driver claims have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.controllers.cloning.outcome import CannotClone
from cdi.controllers.cloning.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes, snapshots


@dataclass(frozen=True, slots=True)
class Selected:
    """A snapshot class, and why it is this one."""

    name: str
    why: str


def driver_of(seen: Seen, claim: Object, volume: Object | None) -> str:
    """The driver that serves a claim: that of its volume, else that of its class; or nothing.

    Raises CannotClone for a volume that somebody else has.
    """
    if volume is not None:
        reference = objects.get(volume, "spec", "claimRef", default={})
        if reference.get("uid") != objects.uid(claim):
            raise CannotClone(
                f"PersistentVolume {objects.name(volume)} is not bound to PVC {objects.name(claim)}"
            )
        if driver := objects.get(volume, "spec", "csi", "driver"):
            return str(driver)
    name = objects.get(claim, "spec", "storageClassName")
    found = classes.choose_as_kubernetes(seen.classes, name)
    return str(objects.get(found, "provisioner", default=""))


def common_driver(seen: Seen) -> str:
    """The one driver of source and target; nothing where they differ."""
    of_source = driver_of(seen, seen.cloned_object, seen.cloned.volume)
    of_target = driver_of(seen, seen.target, None)
    return of_source if of_source == of_target else ""


def select(seen: Seen, claims: Sequence[Object], driver: str) -> Selected | None:
    """The snapshot class for claims of one driver. Raises CannotClone."""
    if not driver:
        return None
    preferred = {_of_profile(seen, each) for each in claims}
    if len(preferred) == 1 and (name := preferred.pop()):
        found = classes.named(seen.snapshot_classes, name)
        if found is None:
            raise CannotClone(
                f"VolumeSnapshotClass {name}, which the StorageProfile names, does not exist"
            )
        return Selected(name, "its StorageProfile") if found.get("driver") == driver else None
    name = snapshots.choose(seen.snapshot_classes, driver)
    return Selected(name, "default, or first by name, of its driver") if name else None


def _of_profile(seen: Seen, claim: Object) -> str:
    name = objects.get(claim, "spec", "storageClassName")
    found = classes.choose_as_kubernetes(seen.classes, name)
    profile = seen.profiles.get(objects.name(found or {}))
    return str(objects.get(profile, "status", "snapshotClass", default=""))
