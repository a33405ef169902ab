"""
What was asked of each volume of a pool, beside the volumes.

    <root>/.records/<volume>.json

A record is written before its volume is made, and removed after it is erased: one without a volume
says nothing, and the next volume of that name replaces it. Volumes without a record are of whoever
kept volumes here before; they are directories, and nobody knows how large they should be.
Blocking calls; sizes in bytes. Raises OSError.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from cdi.volumes.pool import Mode, Pool, sync_directory

_FOLDER: Final = ".records"
_ENDING: Final = ".json"
_PARTIAL: Final = ".new"


@dataclass(frozen=True, slots=True)
class Record:
    """What was asked of one volume."""

    mode: Mode = Mode.FILESYSTEM
    size: int = 0  # 0: nobody said
    content: str = ""  # what it was filled with when it was made
    ephemeral: bool = False  # goes with the pod that uses it


class Records:
    """The records of the volumes of one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._folder = pool.root / _FOLDER

    def get(self, volume: str) -> Record | None:
        """The record of a volume, if there is one that can be read."""
        try:
            found = json.loads(self._file(volume).read_bytes())
            return Record(**(found | {"mode": Mode(found["mode"])}))
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def put(self, volume: str, record: Record) -> None:
        """Write a record, durably."""
        self._pool.space()  # which insists that the pool is there
        if not self._folder.exists():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._pool.root)
        file = self._file(volume)
        partial = file.with_name(file.name + _PARTIAL)
        with partial.open("w", encoding="utf-8") as new:
            json.dump(asdict(record), new)
            new.flush()
            os.fsync(new.fileno())
        partial.replace(file)
        sync_directory(self._folder)

    def resize(self, volume: str, size: int) -> None:
        """Note that a volume is larger now."""
        self.put(volume, replace(self.get(volume) or Record(), size=size))

    def remove(self, volume: str) -> None:
        self._file(volume).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove records of what is no volume. Nobody else may use the pool now."""
        if not self._folder.exists():
            return
        volumes = set(self._pool.volumes())
        for file in self._folder.iterdir():
            if file.suffix != _ENDING or file.stem not in volumes:
                file.unlink()

    def _file(self, volume: str) -> Path:
        return self._folder / f"{self._pool.directory(volume).name}{_ENDING}"
