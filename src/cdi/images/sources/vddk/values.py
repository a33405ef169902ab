"""What vSphere says of a machine, its disks and its snapshots. Only values; sizes in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disk:
    """One virtual disk, in the machine's hardware or in that of a snapshot.

    `object_id` stays the same through all snapshots, `file` does not. `parents` are the files
    that this one builds on, nearest first. `change_id` is empty without changed block tracking.
    """

    key: int
    object_id: str
    file: str
    capacity: int
    parents: tuple[str, ...] = ()
    change_id: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot; `id` is vSphere's own, unlike the name it is unique."""

    id: str
    name: str
    disks: tuple[Disk, ...]
    children: tuple[Snapshot, ...] = ()

    def all(self) -> Iterator[Snapshot]:
        """Yield this one and all that came after it."""
        yield self
        for child in self.children:
            yield from child.all()


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine as it was at one moment. `roots` are its oldest snapshots."""

    id: str
    disks: tuple[Disk, ...]
    roots: tuple[Snapshot, ...] = ()

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield every snapshot, an older one before those that build on it."""
        for root in self.roots:
            yield from root.all()


@dataclass(frozen=True, slots=True)
class Answer:
    """Areas (start, length) that changed within [start, start + length) of a disk."""

    start: int
    length: int
    areas: tuple[tuple[int, int], ...]
