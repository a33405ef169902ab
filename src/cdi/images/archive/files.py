"""
Write the files of an archive: sparsely, with dirty pages bounded over all of them together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cdi.images import storage_calls
from cdi.images.target import data_runs
from cdi.images.target.writing import DIRTY_LIMIT, WRITEBACK_STEP

_SPECIAL = 0o6000  # setuid and setgid


class Files:
    """Writes one file after the other; `written` counts bytes handed to the kernel."""

    def __init__(self, written: int = 0) -> None:
        """`written` is what an earlier run has done that is gone on with."""
        self.written = written
        self._dirty = 0  # since the file system was last synced
        # Whoever runs as root unpacks for others: no archive gets programs that run as root.
        self._modes = 0o7777 & ~_SPECIAL if os.geteuid() == 0 else 0o7777

    def fill(self, fd: int, size: int, placed: Iterable[tuple[int, bytes]]) -> None:
        """Write a file of `size` bytes, a new one or one whose beginning is there.

        What is zero or left out stays a hole.
        """
        own = started = 0
        for offset, data in placed:
            for low, high in data_runs(data, offset):
                _put(fd, memoryview(data)[low:high], offset + low)
                self.written += high - low
                self._dirty += high - low
                started += high - low
                own += high - low
            if started >= WRITEBACK_STEP:
                storage_calls.start_writeback(fd)
                started = 0
            if self._dirty >= DIRTY_LIMIT:
                self._sync(fd, own)
                own = 0
        os.ftruncate(fd, size)

    def mode(self, mode: int) -> int:
        """Return the part of a mode that a file gets."""
        return mode & self._modes

    def _sync(self, fd: int, own: int) -> None:
        """Write what is dirty: one large file, or many small ones that came before it."""
        large = 2 * own > self._dirty
        able = storage_calls.wait_writeback(fd) if large else storage_calls.sync_filesystem(fd)
        if not able:
            os.fsync(fd)
        self._dirty = 0


def _put(fd: int, view: memoryview, offset: int) -> None:
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
