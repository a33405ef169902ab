"""
Snapshots of volumes: what a volume held at one moment, for nobody to write to.

    <root>/.snapshots/<snapshot>/about.json    what it is of
    <root>/.snapshots/<snapshot>/data/         as the volume's directory was

A snapshot is whole once its directory has its name, as with volumes; it does not need its volume
any longer. Where the file system shares data it takes no time and no space. Nobody but us may come
to it, and the disk of a Block volume may not be written. Blocking calls; sizes in bytes, times in
seconds since 1970. Raises as `pool` does.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cdi.volumes import errors
from cdi.volumes.devices import DISK
from cdi.volumes.pool import Cancel, Mode, Pool, held_to, sync_directory

_FOLDER: Final = ".snapshots"
_ABOUT: Final = "about.json"
_DATA: Final = "data"
_READ_ONLY: Final = 0o440


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot."""

    name: str
    volume: str
    mode: Mode
    size: int  # of a Block volume; of a Filesystem one what whoever took it said
    taken: float


class Snapshots:
    """The snapshots of the volumes of one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._snapshots = Pool(pool.root / _FOLDER, devices=False)

    def tidy(self) -> None:
        """Remove what calls have left that were cut short. Nobody else may use the pool now."""
        if self._snapshots.root.exists():
            self._snapshots.tidy()

    def all(self) -> list[Snapshot]:
        """Return all snapshots by name."""
        if not self._snapshots.root.exists():
            return []
        return [self.get(name) for name in self._snapshots.volumes()]

    def get(self, name: str) -> Snapshot:
        """Return one snapshot. Raises Missing."""
        try:
            found = json.loads((self._snapshots.existing(name) / _ABOUT).read_bytes())
        except FileNotFoundError:
            raise errors.Missing(f"there is no snapshot {name}") from None
        return Snapshot(**(found | {"mode": Mode(found["mode"])}))

    def take(
        self,
        volume: str,
        name: str,
        mode: Mode,
        size: int,
        taken: float,
        cancel: Cancel | None = None,
    ) -> Snapshot:
        """Take a snapshot of a volume, or return the one of this name. Raises as `Pool.clone`."""
        source = self._pool.existing(volume)
        if mode == Mode.BLOCK:
            size = (source / DISK).lstat().st_size
        wanted = Snapshot(name, volume, mode, size, taken)
        self._prepare()
        self._snapshots.fill(name, lambda new: self._take(source, new, wanted, cancel))
        return self.get(name)

    def restore(
        self,
        name: str,
        volume: str,
        size: int,
        cancel: Cancel | None = None,
        pool: Pool | None = None,
    ) -> Path:
        """Make a volume with the content of a snapshot, or keep the one that exists.

        It is made in the pool of the snapshot, or in another one.
        """
        target = pool or self._pool
        found = self.get(name)
        if size < found.size:
            raise errors.TooSmall(f"{size} bytes are too few for a snapshot of {found.size} bytes")
        source = self._snapshots.existing(name) / _DATA
        return target.fill(
            volume,
            lambda new: target.copy(source, new, found.mode, size, cancel),
            held_to(found.mode, size),
        )

    def erase(self, name: str) -> None:
        """Remove a snapshot; volumes made from it stay."""
        self._snapshots.directory(name)
        if self._snapshots.root.exists():
            self._snapshots.erase(name)

    def _take(self, source: Path, new: Path, wanted: Snapshot, cancel: Cancel | None) -> None:
        data = new / _DATA
        data.mkdir(mode=0o700)
        self._pool.copy(source, data, wanted.mode, wanted.size, cancel)
        if wanted.mode == Mode.BLOCK:
            (data / DISK).chmod(_READ_ONLY)
        sync_directory(data)
        with (new / _ABOUT).open("w", encoding="utf-8") as about:
            json.dump(asdict(wanted), about)
            about.flush()
            os.fsync(about.fileno())

    def _prepare(self) -> None:
        root = self._snapshots.root
        if not root.exists():
            self._pool.space()  # which insists that the pool is there
            root.mkdir(mode=0o700)
            sync_directory(self._pool.root)
