"""
A block device as a target, written in place.

It is zeroed as a whole at the start where the device can do that by itself, and where a look at
samples confirms it; otherwise it is filled: zero runs are put where they are met, and what no
write covered in the end. Preallocated, it is always filled, so that thin storage has given every
block. A device whose disk is brought up to date is zeroed only where that is asked for.

Its last RESERVE bytes may hold notes (`note`) while the disk is not complete. What of the disk
belongs there stays in memory meanwhile (`hold_back`), and is put in their place by the commit.

Ways to zero, in this order: give blocks back (not if preallocated), have the device or the kernel
write zeros, write them. Ranges need not be whole sectors: the last way takes any.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images.target import failures, writing
from cdi.images.target.filling import BLOCK, Filling
from cdi.images.writes import Buffer

# What the kernel is asked to zero in one call, which nothing interrupts.
_STEP = 256 << 20

RESERVE = 1 << 20  # bytes at the end for notes about a disk that is not complete


class BlockTarget(writing.Writer):
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
        self._held: bytearray | None = None  # the disk's part of the reserve, while that is held
        self._touched = False  # whether anything but zeros belongs there
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
                    self._filling = Filling(self._clear, self._put, self._size_to_fill)
        except BaseException:
            self.close()
            raise

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
        with self._translated():
            if self._give_back and self._in_steps(storage_calls.punch, start, end):
                return True
            return self._in_steps(storage_calls.zero_device, start, end)

    def _in_steps(self, call: Callable[[int, int, int], bool], start: int, end: int) -> bool:
        return all(call(self._fd, at, min(_STEP, end - at)) for at in range(start, end, _STEP))

    def leaves_room(self, disk: int | None) -> bool:
        """Whether a disk of so many bytes leaves the last RESERVE bytes alone."""
        return disk is not None and disk <= self.size - RESERVE

    def hold_back(self) -> bool:
        """Keep the reserve free for notes until the commit; False where there is none."""
        if self.size > RESERVE:
            self._held = bytearray(RESERVE)
        return self._held is not None

    @property
    def held_from(self) -> int:
        return self.size if self._held is None else self.size - RESERVE

    @property
    def holds_content(self) -> bool:
        return self._touched

    def note(self, at: int, data: bytes) -> None:
        """Put `data` at this offset of the reserve, durably, as long as that is held back."""
        if self._held is None:
            return
        self._noted = True
        with self._translated():
            storage_calls.write(self._fd, data, self.size - RESERVE + at)
        self.flush()

    def forget_notes(self) -> None:
        """Zero the reserve, durably, if there may be notes in it."""
        if not self._noted:
            return
        with self._translated():
            storage_calls.write(self._fd, bytes(RESERVE), self.size - RESERVE)
        self._sync()
        self._noted = False

    def let_go(self) -> None:
        if self._held is None:
            return
        start, held = self.held_from, bytes(self._held)
        # Only what is not zero, where zeros are there already.
        whole = self._noted or self._filling is not None
        with self._translated():
            for low, high in [(0, RESERVE)] if whole else writing.data_runs(held, start):
                storage_calls.write(self._fd, held[low:high], start + low)
        if self._filling is not None:
            self._filling.wrote([(start, self.size)])
        self._held, self._touched, self._noted = None, False, False

    def written_by_others(self, size: int) -> None:
        self.let_go()
        super().written_by_others(size)

    def read_back(self, start: int, length: int) -> bytes:
        found = super().read_back(start, length)
        if self._held is None or start + length <= self.held_from:
            return found
        apart = max(0, self.held_from - start)
        first = start + apart - self.held_from
        return found[:apart] + self._held[first : first + length - apart]

    def _put(self, batch: list[Buffer], offset: int) -> None:
        if self._held is None or offset + sum(map(len, batch)) <= self.held_from:
            super()._put(batch, offset)
            return
        for part, at in _split(batch, offset, (self.held_from, self.size)):
            if self.held_from <= at < self.size:
                self._hold(self._held, part, at - self.held_from)
            else:
                super()._put([part], at)

    def _hold(self, held: bytearray, part: Buffer, at: int) -> None:
        held[at : at + len(part)] = part
        self._touched = True
        with self._lock:
            self.written += len(part)

    def _skip(self, start: int, end: int) -> None:
        super()._skip(start, min(end, self.held_from))

    def _size_to_fill(self, size: int) -> int:
        del size  # what lies behind the disk is zeroed, too
        if self._update:
            return 0
        return self.size - RESERVE if self._noted else self.held_from

    def finish(self, size: int, committing: Callable[[], None] = lambda: None) -> None:
        del size  # a device has the size it has; what lies behind the disk is zeroed
        deque(self.fill(self.size), maxlen=0)
        if self._noted:
            self._sync()  # until all else is durable, the notes have to stay
        self.let_go()
        self.forget_notes()
        self._sync()
        committing()
        self.close()


def _split(
    batch: list[Buffer], offset: int, edges: tuple[int, ...]
) -> Iterator[tuple[Buffer, int]]:
    """Yield the parts of a batch, none of which is on both sides of an edge, with their offsets."""
    for part in batch:
        start, end = offset, offset + len(part)
        cuts = [start, *(edge for edge in edges if start < edge < end), end]
        for low, high in itertools.pairwise(cuts):
            yield memoryview(part)[low - start : high - start], low
        offset = end
