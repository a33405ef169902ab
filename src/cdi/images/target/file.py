"""
A regular file as a target.

It is written beside its final name, as `<name>.cdi-partial`, and renamed when it is complete,
synced and of the right size: the name existing is the commit point, and a failed or interrupted
transfer leaves whatever had that name before. A new file is all hole, so nothing is written for
zeros; preallocated, its blocks are asked for at the start, or all of them are written where the
file system has no way to give them.

A disk that is brought up to date is written in place: there is no room for a second one. Zeros are
punched into it, or written where the file system cannot do that.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images.layout import Room
from cdi.images.target import failures, paths, writing
from cdi.images.target.filling import BLOCK, Filling
from cdi.images.writes import Buffer

_MODE = 0o660  # spec/import.md, "Resize and final checks"


class FileTarget(writing.Writer):
    """A regular file, invisible under its own name until it is complete."""

    def __init__(
        self,
        path: Path,
        size: int | None,
        *,
        preallocate: bool = False,
        resume: bool = False,
        update: bool = False,
        direct_io: bool = False,
    ) -> None:
        """Open for a disk of `size` bytes (None: not known yet); `resume` keeps what is there.

        `update` opens the complete disk at `path` instead of a new one.
        """
        self._final = path
        self._partial = path if update else paths.partial_path(path)
        self._update = update
        resume = resume or update
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        if not resume:
            flags |= os.O_CREAT | os.O_EXCL
        try:
            fd = os.open(self._partial, flags, _MODE)
        except OSError as error:
            raise failures.opening_error(error, str(path), update=update) from error
        super().__init__(fd, str(path), direct_io=direct_io)
        self._preallocate = preallocate
        try:
            _lock(fd, path)
            self._insist_on_place()
            with self._translated():
                if size is not None and os.fstat(fd).st_size < size:
                    os.ftruncate(fd, size)
                if update or (preallocate and not self._allocate(size)):
                    self._filling = Filling(self._clear, self._put, self._size_to_fill)
        except BaseException:
            if not resume and paths.is_at(fd, self._partial):
                self._partial.unlink(missing_ok=True)
            self.close()
            raise

    @property
    def path(self) -> Path:
        return self._partial

    def _insist_on_place(self) -> None:
        """The name must be that of the file that is locked: it may have been given to another."""
        if not paths.is_at(self._fd, self._partial):
            raise errors.TargetFailed(
                f"{self._final}: another import has taken its place meanwhile; run again once "
                "that one has ended"
            )

    def _allocate(self, size: int | None) -> bool:
        """Have every block given; False where that takes writing them.

        Where the size is not known yet, the answer is for a single block.
        """
        storage_calls.insist_on_room(self._fd, size or 0)
        return storage_calls.allocate(self._fd, size or BLOCK)

    def _clear(self, start: int, end: int) -> bool:
        # Preallocated blocks are kept, which only writing does.
        with self._translated():
            return not self._preallocate and storage_calls.punch(self._fd, start, end - start)

    def _size_to_fill(self, size: int) -> int:
        return size if self._preallocate and not self._update else 0

    def behind(self, disk: int) -> Room | None:
        """Room behind a disk of so many bytes, as long as it is not complete; None where a larger
        file would not do."""
        if self._preallocate or self._update:
            return None
        from cdi.images.target import behind

        return behind.Behind(self, disk)

    def write_behind(self, offset: int, data: Buffer) -> None:
        """Write what is no part of the disk, and lies behind it."""
        self._put([data], offset)

    def give_back(self, start: int, end: int) -> None:
        """Give the blocks of what lies behind the disk back, as far as the file system can."""
        with self._translated():
            storage_calls.punch(self._fd, start, end - start)

    def finish(self, size: int, committing: Callable[[], None] = lambda: None) -> None:
        with self._translated():
            found = os.fstat(self._fd).st_size
            if found < size or (found > size and not self._update):
                os.ftruncate(self._fd, size)
            if self._preallocate and size and not self._update:
                deque(self.fill(size), maxlen=0)
                if self._filling is None:
                    storage_calls.allocate(self._fd, size)
            os.fchmod(self._fd, _MODE)
        self._sync()
        committing()
        if not self._update:
            self._insist_on_place()
            with self._translated():
                self._partial.replace(self._final)
                paths.sync_directory(self._final.parent)
        self.close()


def remove_partial(path: Path) -> None:
    """Remove the partial disk for `path`, if there is one.

    Raises TargetFailed if somebody is writing it: nobody takes a file away from its writer.
    """
    partial = paths.partial_path(path)
    try:
        fd = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        _lock(fd, path)
        if paths.is_at(fd, partial):
            partial.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise errors.TargetFailed(f"{path}: another import is writing it just now") from error
