"""
The room behind a disk in the file that it grows in, for what comes before its place is known.

Whatever lies there is gone when the disk is complete: the file ends with it then.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from cdi.images.target.filling import BLOCK
from cdi.images.writes import Buffer


class Growing(Protocol):
    """A file that may be larger than its disk for a while."""

    def write_behind(self, offset: int, data: Buffer) -> None: ...
    def read_back(self, start: int, length: int) -> bytes: ...
    def give_back(self, start: int, end: int) -> None: ...


def free_space(folder: Path) -> int:
    """Return how many bytes of files the file system of a directory has room for; 0: not known."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class Behind:
    """The room behind the disk in its own file; see `layout.Room`. Raises TargetError."""

    def __init__(self, target: Growing, disk: int) -> None:
        self._target = target
        self._base = -(-disk // BLOCK) * BLOCK

    def put(self, offset: int, data: Buffer) -> None:
        self._target.write_behind(self._base + offset, data)

    def get(self, offset: int, length: int) -> bytes:
        return self._target.read_back(self._base + offset, length)

    def free(self, start: int, end: int) -> None:
        self._target.give_back(self._base + start, self._base + end)
