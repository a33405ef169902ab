"""
A block device as a target, written in place.

It is zeroed as a whole at the start where the device can do that by itself, and where a look at
samples confirms it; otherwise it is filled: zero runs are put where they are met, and what no
write covered in the end. Preallocated, it is always filled, so that thin storage has given every
block. A device whose disk is brought up to date is zeroed only where that is asked for.

Its last RESERVE bytes may hold notes (`note`) while the disk is not complete, if that leaves them
free; the commit zeroes them.

Ways to zero, in this order: give blocks back (not if preallocated), have the device or the kernel
write zeros, write them. Ranges need not be whole sectors: the last way takes any.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images.target import failures, paths, writing
from cdi.images.target.filling import BLOCK

# What the kernel is asked to zero in one call, which nothing interrupts.
_STEP = 256 << 20

RESERVE = 1 << 20  # bytes at the end for notes about a disk that is not complete


class BlockTarget(writing.Target):
    """A block device, written in place."""

    def __init__(
        self,
        path: Path,
        size: int | None,
        *,
        resume: bool = False,
        zeroed: bool = False,
        noted: bool = False,
        update: bool = False,
        preallocate: bool = False,
        direct_io: bool = False,
    ) -> None:
        """Open exclusively.

        `zeroed`: an earlier run of this transfer has zeroed all of it; `noted`: it may have left
        notes.
        """
        self._update = update
        self._noted = noted
        self._give_back = not preallocate
        try:
            fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        except OSError as error:
            raise failures.target_error(error, str(path)) from error
        super().__init__(fd, str(path), direct_io=direct_io)
        self._path = path
        try:
            with self._translated():
                self.size = os.lseek(fd, 0, os.SEEK_END)
                if size is not None and size > self.size:
                    raise errors.TooSmall(size, self.size)
                if resume or update or preallocate:
                    self.zeroed = zeroed and not update
                else:
                    self.zeroed = self._cleared_by_itself()
                if not self.zeroed:
                    self._start_filling()
        except BaseException:
            self.close()
            raise

    @property
    def tag(self) -> str:
        return paths.tag_for(self._fd)

    @property
    def path(self) -> Path:
        return self._path

    def _cleared_by_itself(self) -> bool:
        if not self._in_steps(storage_calls.punch, 0, self.size):
            return False
        # One that has lied once is not believed when it clears a part either.
        self._give_back = self._reads_zero()
        return self._give_back

    def _reads_zero(self) -> bool:
        """Whether samples of the device are zero: discards have been known to lie."""
        for part in range(17):
            offset = (self.size - BLOCK) * part // 16 // BLOCK * BLOCK
            if offset >= 0 and os.pread(self._fd, BLOCK, offset).strip(b"\0"):
                return False
        return True

    def _clear(self, start: int, end: int) -> bool:
        if self._give_back and self._in_steps(storage_calls.punch, start, end):
            return True
        return self._in_steps(storage_calls.zero_device, start, end)

    def _in_steps(self, call: Callable[[int, int, int], bool], start: int, end: int) -> bool:
        return all(call(self._fd, at, min(_STEP, end - at)) for at in range(start, end, _STEP))

    def leaves_room(self, disk: int | None) -> bool:
        """Whether a disk of so many bytes leaves the last RESERVE bytes alone."""
        return disk is not None and disk <= self.size - RESERVE

    def note(self, at: int, data: bytes) -> None:
        """Put `data` at this offset of the reserve, durably, until the disk is complete."""
        self._noted = True
        with self._translated():
            self._put_rest(data, self.size - RESERVE + at)
        self.flush()

    def forget_notes(self) -> None:
        """Zero the reserve, durably, if there may be notes in it."""
        if not self._noted:
            return
        with self._translated():
            self._put_rest(bytes(RESERVE), self.size - RESERVE)
        self._sync()
        self._noted = False

    def _size_to_fill(self, size: int) -> int:
        del size  # what lies behind the disk is zeroed, too
        if self._update:
            return 0
        return self.size - RESERVE if self._noted else self.size

    def finish(self, size: int, committing: Callable[[], None] = lambda: None) -> None:
        del size  # a device has the size it has; what lies behind the disk is zeroed
        deque(self.fill(self.size), maxlen=0)
        self._sync()
        self.forget_notes()  # last: until all else is durable, they are true
        committing()
        self.close()
