"""
How a clone is done: by the storage itself, over a snapshot, or by pods that copy.

The choice is made once and kept on the target. Where something better than copying was wanted and
cannot be had, the reason is told and kept, too. Pure.
"""

from dataclasses import dataclass

from cdi.api import annotations, quantity, reasons
from cdi.controllers import metadata
from cdi.controllers.cloning import snapshotclass
from cdi.controllers.cloning.outcome import CannotClone, TooSmall
from cdi.controllers.cloning.seen import Seen, volume_mode
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import sizes
from cdi.storage.capabilities import CLONE_STRATEGIES, COPY, SNAPSHOT


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy; `fallback` is the reason why bytes are copied although more was wanted."""

    strategy: str
    fallback: str = ""
    snapshot_class: snapshotclass.Selected | None = None


def choose(seen: Seen) -> Choice:
    """Choose. Raises SourceMissing while there is no source, TooSmall, or CannotClone."""
    return _of_snapshot(seen, seen.cloned_object) if seen.cloned.is_snapshot else _of_claim(seen)


def preset(target: Object) -> str:
    """The strategy that was chosen before, or that a user asks for. Raises CannotClone."""
    said = objects.annotations(target).get(annotations.CLONE_TYPE, "")
    if said and said not in CLONE_STRATEGIES:
        known = ", ".join(CLONE_STRATEGIES)
        raise CannotClone(f"annotation {annotations.CLONE_TYPE} is {said!r}; want one of {known}")
    return said


# A claim.


def _of_claim(seen: Seen) -> Choice:
    source = seen.cloned_object
    _insist_on_size(seen, source)
    wanted = _wanted(seen)
    if wanted == COPY:
        return Choice(COPY)
    driver = snapshotclass.common_driver(seen)
    selected = None
    if wanted == SNAPSHOT:
        selected = snapshotclass.select(seen, [source, seen.target], driver)
        if selected is None:
            return Choice(COPY, reasons.NO_VOLUME_SNAPSHOT_CLASS)
    if not driver:
        return Choice(COPY, reasons.INCOMPATIBLE_PROVISIONERS)
    if volume_mode(source) != volume_mode(seen.target):
        return Choice(COPY, reasons.INCOMPATIBLE_VOLUME_MODES)
    capacity = _bytes(objects.get(source, "status", "capacity", "storage"))
    if capacity is None:
        raise CannotClone(f"PVC {objects.name(source)} does not show its capacity yet")
    if capacity < seen.wanted_size and not _can_expand(seen):
        return Choice(COPY, reasons.NO_VOLUME_EXPANSION)
    return Choice(wanted, snapshot_class=selected)


def _insist_on_size(seen: Seen, source: Object) -> None:
    if metadata.has(seen.target, annotations.PERMISSIVE_CLONE):
        return
    size, wanted = sizes.requested(source.get("spec") or {}), seen.wanted_size
    if size is None or wanted < size:
        raise TooSmall(
            f"target resources requests storage size is smaller than the source: {wanted} bytes "
            f"for PVC {objects.key(source)} of {size}; ask for at least as much"
        )


def _wanted(seen: Seen) -> str:
    """What the administrator, or what is known of the storage, asks for."""
    override = objects.get(seen.installation, "spec", "cloneStrategyOverride")
    name = objects.name(seen.target_class or {})
    of_profile = objects.get(seen.profiles.get(name), "status", "cloneStrategy")
    said = str(override or of_profile or SNAPSHOT)
    if said not in CLONE_STRATEGIES:
        raise CannotClone(f"clone strategy {said!r} is none of {', '.join(CLONE_STRATEGIES)}")
    return said


# A snapshot.


def _of_snapshot(seen: Seen, snapshot: Object) -> Choice:
    content, name = seen.cloned.content, objects.name(snapshot)
    if content is None:
        raise CannotClone(f"VolumeSnapshot {name} has no VolumeSnapshotContent yet")
    provisioner = objects.get(seen.target_class, "provisioner")
    if provisioner != objects.get(content, "spec", "driver"):
        return Choice(COPY, reasons.NO_PROVISIONER_MATCH)
    size = restore_size(snapshot)
    if size is None:
        raise CannotClone(f"VolumeSnapshot {name} does not show its restoreSize yet")
    if seen.wanted_size > size and not _can_expand(seen):
        return Choice(COPY, reasons.NO_VOLUME_EXPANSION)
    if seen.cloned.mode_of_snapshot(seen.target["spec"]) != volume_mode(seen.target):
        return Choice(COPY, reasons.INCOMPATIBLE_VOLUME_MODES)
    return Choice(SNAPSHOT)


def restore_size(snapshot: Object) -> int | None:
    """How large a claim restored from a snapshot has to be; None while nobody knows."""
    return _bytes(objects.get(snapshot, "status", "restoreSize"))


def _can_expand(seen: Seen) -> bool:
    return objects.get(seen.target_class, "allowVolumeExpansion") is True


def _bytes(text: object) -> int | None:
    return None if text is None else quantity.parse(str(text)).value()
