"""
Snapshots that the hostpath CSI driver before this one has taken, in its own layout.

    <pool>/snapshots/<snapshot>/data/        the content
    <pool>/snapshots/<snapshot>/<volume>/    an empty directory: the volume that it is of

They can be listed, restored and removed; new ones are taken elsewhere (`cdi.volumes.snapshots`).
How large their volumes were is not recorded. Blocking calls. Raises OSError, of which those of
`volumes.errors` are some, and ValueError for a name that no snapshot can have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cdi.volumes import errors
from cdi.volumes.pool import Cancel, Mode, Pool
from cdi.volumes.snapshots import Snapshot

FOLDER: Final = "snapshots"
_DATA: Final = "data"


class FormerSnapshots:
    """The snapshots that whoever kept a pool before has left in it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._snapshots = Pool(pool.root / FOLDER, devices=False)

    def all(self) -> list[Snapshot]:
        """All snapshots by name."""
        if not self._snapshots.root.is_dir():
            return []
        found = [self._of(name) for name in self._snapshots.volumes()]
        return [each for each in found if each is not None]

    def get(self, name: str) -> Snapshot:
        """One snapshot. Raises Missing."""
        self._snapshots.directory(name)
        found = self._of(name) if self._snapshots.root.is_dir() else None
        if found is None:
            raise errors.Missing(f"there is no snapshot {name}")
        return found

    def restore(self, name: str, volume: str, size: int, cancel: Cancel | None, pool: Pool) -> Path:
        """Make a volume in a pool with the content of a snapshot, or keep the one that exists."""
        source = self._data(self.get(name).name)
        return pool.fill(
            volume, lambda new: pool.copy(source, new, Mode.FILESYSTEM, size, cancel), size
        )

    def erase(self, name: str) -> None:
        """Remove a snapshot; volumes made from it stay."""
        self._snapshots.directory(name)
        if self._snapshots.root.is_dir():
            self._snapshots.erase(name)

    def tidy(self) -> None:
        """Remove what calls have left that were cut short. Nobody else may use the pool now."""
        if self._snapshots.root.is_dir():
            self._snapshots.tidy()

    def _of(self, name: str) -> Snapshot | None:
        """What is known of a snapshot; None where its directory is no snapshot."""
        data = self._data(name)
        if data.is_symlink() or not data.is_dir():
            return None
        marks = [each for each in data.parent.iterdir() if each.name != _DATA and each.is_dir()]
        if len(marks) != 1:
            return None
        taken = data.parent.stat().st_mtime
        return Snapshot(name, marks[0].name, Mode.FILESYSTEM, 0, taken)

    def _data(self, name: str) -> Path:
        return self._snapshots.directory(name) / _DATA
