"""
The directories that volumes of a node are in, by name, and what may be done in one of them.

Blocking calls; sizes in bytes. Raises OSError, of which those of `volumes.errors` are some.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from cdi.hostpath import former
from cdi.hostpath.former import FormerSnapshots
from cdi.volumes import errors
from cdi.volumes.pool import Cancel, Mode, Pool, Space, held_to
from cdi.volumes.records import Record, Records
from cdi.volumes.snapshots import Snapshot, Snapshots

LEGACY: Final = "legacy"  # the pool of whoever names none

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_SECTOR: Final = 512
_USUAL_SIZE: Final = _GIB  # of a device of which nobody says how large it should be
_PROVIDERS: Final = ("", "reflink")
# Directories that are no volumes: snapshots of whoever kept the pool before, and ext4's own.
_RESERVED: Final = frozenset({former.FOLDER, "lost+found"})
# In the file system of a pool that is on a claim: written by whoever mounts it.
MARKER: Final = ".pool"


class InvalidPools(ValueError):
    """The pools of the node are not said in a way that can be understood."""


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One pool, as the driver is told of it."""

    name: str
    path: str
    snapshot_path: str = msgspec.field(default="", name="snapshotPath")
    snapshot_provider: str = msgspec.field(default="", name="snapshotProvider")
    shared: bool = False  # by all nodes
    mounted: bool = False  # by somebody else, perhaps later: the pool is on a claim


def parse_pools(text: str | bytes) -> list[PoolSettings]:
    """The pools that a JSON list speaks of. Raises InvalidPools."""
    try:
        found = msgspec.json.decode(text, type=list[PoolSettings])
    except msgspec.DecodeError as error:
        raise InvalidPools(f"the list of storage pools cannot be read: {error}") from error
    if not found:
        raise InvalidPools("there is no storage pool in the list; name at least one")
    for each in found:
        if not each.name or not each.path:
            raise InvalidPools("every storage pool needs a name and a path")
        if each.snapshot_provider not in _PROVIDERS:
            raise InvalidPools(
                f"storage pool {each.name}: unknown snapshotProvider {each.snapshot_provider!r}; "
                "leave it out, or write reflink"
            )
    for what, values in (
        ("name", [each.name for each in found]),
        ("path", [each.path for each in found]),
    ):
        if len(set(values)) < len(values):
            raise InvalidPools(f"two storage pools have the same {what}")
    return found


class Kind(StrEnum):
    """What a volume can be filled from."""

    VOLUME = "volume"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Content:
    """What a volume is to hold from the start."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A volume as it is asked for."""

    id: str
    pool: str
    mode: Mode
    size: int = 0  # at least; 0: nobody said
    limit: int = 0  # at most; 0: nobody said
    content: Content | None = None
    ephemeral: bool = False


def rounded(size: int) -> int:
    """A size as it is published: in whole units, the larger the coarser."""
    for unit in (_GIB, _MIB):
        if size >= 10 * unit:
            return size - size % unit
    return size


def _insist(wanted: Wanted, mode: Mode, size: int) -> None:
    """Refuse to fill a volume from what does not fit."""
    if wanted.mode != mode:
        raise ValueError(f"a {wanted.mode} volume cannot be made from a {mode} one")
    if wanted.size < size:
        raise errors.TooSmall(f"{wanted.size} bytes are too few: {wanted.content} has {size}")


class HostPool:
    """One pool of a node."""

    def __init__(self, settings: PoolSettings) -> None:
        self.name, self.shared = settings.name, settings.shared
        marker = MARKER if settings.mounted else ""
        self.pool = Pool(Path(settings.path), open_to_all=True, marker=marker, holds=True)
        self._snapshots = Snapshots(self.pool)
        self._former = FormerSnapshots(self.pool)
        self.records = Records(self.pool)
        self._mounted, self._arrived = settings.mounted, False
        self._arriving = threading.Lock()

    def prepare(self) -> None:
        """Make the directory, and remove what calls have left that were cut short. One that is
        not mounted yet is prepared when it is."""
        self.pool.ensure()
        try:
            self._present()
        except errors.PoolMissing:
            if not self._mounted:
                raise

    def _present(self) -> None:
        """Insist that the pool is there; the first time that it is, tidy up. Raises PoolMissing."""
        self.pool.space()
        with self._arriving:
            if not self._arrived:
                self._tidy()
                self._arrived = True

    def _tidy(self) -> None:
        if not self.shared:  # where others may be at work
            self.pool.tidy()
            self._snapshots.tidy()
            self._former.tidy()
            self.records.tidy()
        self.pool.reattach()

    # Volumes.

    def volumes(self) -> list[str]:
        return [each for each in self.pool.volumes() if each not in _RESERVED]

    def has(self, volume: str) -> bool:
        """Whether a volume is here. Raises PoolMissing; names that none can have are not here."""
        try:
            self._present()
            self.pool.existing(volume)
        except errors.PoolMissing:
            raise
        except (errors.Missing, ValueError):
            return False
        return volume not in _RESERVED

    def record(self, volume: str) -> Record:
        return self.records.get(volume) or Record()

    def make(self, wanted: Wanted, contents: HostPool, cancel: Cancel) -> None:
        """Make a volume; its content, if it is to have any, is in the pool `contents`."""
        if wanted.id in _RESERVED:
            raise ValueError(f"{wanted.id!r} cannot be the name of a volume")
        record = Record(
            wanted.mode, self._size_for(wanted), str(wanted.content or ""), wanted.ephemeral
        )
        self.records.put(wanted.id, record)
        try:
            self._fill(wanted, record, contents, cancel)
        except BaseException:
            if not self.has(wanted.id):
                self.records.remove(wanted.id)
            raise

    def _fill(self, wanted: Wanted, record: Record, contents: HostPool, cancel: Cancel) -> None:
        match wanted.content:
            case None:
                self.pool.make(wanted.id, wanted.mode, record.size)
            case Content(Kind.VOLUME, source):
                there = contents.record(source)
                _insist(wanted, there.mode, there.size)
                directory = contents.pool.existing(source)
                self.pool.fill(
                    wanted.id,
                    lambda new: self.pool.copy(directory, new, record.mode, record.size, cancel),
                    held_to(record.mode, record.size),
                )
            case Content(Kind.SNAPSHOT, source):
                taken = contents.existing_snapshot(source)
                _insist(wanted, taken.mode, taken.size)
                contents.restore(source, wanted.id, record.size, cancel, self.pool)

    def _size_for(self, wanted: Wanted) -> int:
        size = wanted.size
        if wanted.mode == Mode.BLOCK:
            size = -(-(size or min(_USUAL_SIZE, wanted.limit or _USUAL_SIZE)) // _SECTOR) * _SECTOR
        there = self.space().size
        if size > there:
            raise errors.TooLarge(
                f"{size} bytes are more than storage pool {self.name} has ({there} bytes)"
            )
        if wanted.limit and size > wanted.limit:
            raise errors.TooLarge(f"{size} bytes are more than the limit of {wanted.limit}")
        return size

    def erase(self, volume: str) -> None:
        self.pool.erase(volume)
        self.records.remove(volume)

    def grow(self, volume: str, size: int) -> int:
        """Make a volume at least this large; return how large it is."""
        record = self.record(volume)
        if record.mode == Mode.BLOCK:
            size = -(-size // _SECTOR) * _SECTOR
        if size > self.space().size:
            raise errors.TooLarge(f"{size} bytes are more than storage pool {self.name} has")
        self.pool.grow(volume, record.mode, size)
        if size > record.size:
            self.records.resize(volume, size)
        return max(size, record.size)

    def capacity(self, volume: str) -> int:
        """How large a volume is. A directory that the file system does not hold to what was asked
        for shares all that there is with the others."""
        record = self.record(volume)
        if record.mode == Mode.BLOCK or self.pool.is_held(volume):
            return record.size
        return max(rounded(self.space().size), record.size)

    def space(self) -> Space:
        return self.pool.space()

    # Snapshots.

    def take(self, name: str, volume: str, taken: float, cancel: Cancel) -> Snapshot:
        """Take a snapshot of a volume, or return the one of this name."""
        record = self.record(volume)
        size = record.size or self.pool.usage(volume).bytes
        return self._snapshots.take(volume, name, record.mode, size, taken, cancel)

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, also those of whoever kept the pool before."""
        return [*self._snapshots.all(), *self._former.all()]

    def snapshot(self, name: str) -> Snapshot | None:
        """One snapshot, if it is here. Raises PoolMissing."""
        try:
            self._present()
            return self.existing_snapshot(name)
        except (errors.Missing, ValueError):
            return None

    def existing_snapshot(self, name: str) -> Snapshot:
        """One snapshot. Raises Missing."""
        try:
            return self._snapshots.get(name)
        except errors.Missing:
            return self._former.get(name)

    def restore(self, name: str, volume: str, size: int, cancel: Cancel, pool: Pool) -> None:
        """Make a volume in a pool with the content of a snapshot. Raises Missing."""
        try:
            self._snapshots.get(name)
        except errors.Missing:
            self._former.restore(name, volume, size, cancel, pool)
        else:
            self._snapshots.restore(name, volume, size, cancel, pool)

    def erase_snapshot(self, name: str) -> None:
        """Remove a snapshot; none is fine."""
        self._snapshots.erase(name)
        self._former.erase(name)
