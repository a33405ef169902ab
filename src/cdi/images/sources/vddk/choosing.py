"""
Which disk is read, as of which snapshot, and since when: decided from plain values.

A disk is known by its backing file, the name it had when somebody wrote the order. Snapshots give
a disk new files, so the name may be that of the hardware, of a snapshot, or of a file that these
build on. Raises NotFound, InvalidRequest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.sources.vddk.values import Disk, Machine, Snapshot

# As vSphere writes a change id: hexadecimal pairs, a dash in the middle, a sequence number.
_CHANGE_ID = re.compile(r"(?:[0-9a-fA-F]{2}\s?)+-(?:[0-9a-fA-F]{2}\s?)+/[0-9]+")


@dataclass(frozen=True, slots=True)
class Choice:
    """What nbdkit opens, and what vSphere is asked about it. `change_id` None: a whole disk."""

    file: str
    disk: Disk
    snapshot: Snapshot | None = None
    change_id: str | None = None


def choose(machine: Machine, backing_file: str, current: str, previous: str) -> Choice:
    """Choose what to read of a machine's disk.

    `current` and `previous` name snapshots, `previous` may be a change id too; empty ones mean
    the disk as it is, and all of it.
    """
    if previous and not current:
        raise errors.InvalidRequest(
            "a previous checkpoint makes no sense without a current one; name the snapshot to copy"
        )
    disk = disk_of(machine, backing_file)
    if not current:
        return Choice(backing_file, disk)
    snapshot = snapshot_of(machine, current)
    found = _same_disk(snapshot, disk)
    if not previous:
        return Choice(found.file if found else backing_file, found or disk, snapshot)
    if found is None:
        raise errors.NotFound(
            f"snapshot {current!r} does not have disk {backing_file!r}; "
            "name a snapshot that was taken with it"
        )
    return Choice(found.file, found, snapshot, _change_id(machine, disk, previous))


def is_change_id(text: str) -> bool:
    """Whether a checkpoint's name is a change id, and not that of a snapshot."""
    return _CHANGE_ID.fullmatch(text) is not None


def disk_of(machine: Machine, backing_file: str) -> Disk:
    """Return the disk that has, or once had, this file."""
    for disks in _places(machine):
        for disk in disks:
            if disk.file == backing_file:
                return disk
    for disk in _with_parents(machine):
        if backing_file in disk.parents:
            return disk
    known = ", ".join(repr(disk.file) for disk in machine.disks) or "none"
    raise errors.NotFound(
        f"the virtual machine has no disk with backing file {backing_file!r}; it has {known}"
    )


def snapshot_of(machine: Machine, wanted: str) -> Snapshot:
    """Return the snapshot with this id, or else the one with this name."""
    every = list(machine.snapshots())
    found = [one for one in every if one.id == wanted] or [
        one for one in every if one.name == wanted
    ]
    if not found:
        raise errors.NotFound(
            f"the virtual machine has no snapshot {wanted!r}; it may have been removed"
        )
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise errors.InvalidRequest(
            f"several snapshots are called {wanted!r}; name one by its id: {ids}"
        )
    return found[0]


def _places(machine: Machine) -> Iterator[Iterable[Disk]]:
    yield machine.disks
    for snapshot in machine.snapshots():
        yield snapshot.disks


def _with_parents(machine: Machine) -> Iterator[Disk]:
    for root in machine.roots[:1]:
        yield from root.disks
    yield from machine.disks


def _same_disk(snapshot: Snapshot, disk: Disk) -> Disk | None:
    return next((one for one in snapshot.disks if one.object_id == disk.object_id), None)


def _change_id(machine: Machine, disk: Disk, previous: str) -> str:
    """The change id since which changes are wanted."""
    if is_change_id(previous):
        return previous
    then = _same_disk(snapshot_of(machine, previous), disk)
    if then is None:
        raise errors.NotFound(
            f"snapshot {previous!r} does not have disk {disk.file!r}; changes since then are "
            "not known"
        )
    if not then.change_id:
        raise errors.InvalidRequest(
            f"snapshot {previous!r} has no change id for disk {disk.file!r}; enable changed "
            "block tracking (CBT) for the virtual machine before its first snapshot is taken"
        )
    return then.change_id
