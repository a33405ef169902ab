"""
A block device as a target, written in place.

It is zeroed as a whole at the start where the device can do that by itself; otherwise zero runs
are written where they are met, and what no write covered is zeroed at the end. A device whose disk
is brought up to date is zeroed only where that is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images.formats.layout import Buffer
from cdi.images.intervals import Intervals
from cdi.images.target import places, zeros
from cdi.images.target.writing import Target


class BlockTarget(Target):
    """A block device, written in place."""

    def __init__(
        self,
        path: Path,
        size: int | None,
        *,
        resume: bool = False,
        zeroed: bool = False,
        update: bool = False,
    ) -> None:
        """Open exclusively. `zeroed`: an earlier run of this transfer has zeroed all of it."""
        self._update = update
        try:
            fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        except OSError as error:
            raise places.target_error(error, str(path)) from error
        super().__init__(fd, str(path))
        self._path = path
        self._touched = Intervals()
        try:
            with self._translated():
                self.size = os.lseek(fd, 0, os.SEEK_END)
                if size is not None and size > self.size:
                    raise errors.TooSmall(size, self.size)
                if resume or update:
                    self.zeroed = zeroed and not update
                else:
                    self.zeroed = storage_calls.punch(fd, 0, self.size) and self._reads_zero()
        except BaseException:
            self.close()
            raise

    @property
    def tag(self) -> str:
        return places.tag_for(os.fstat(self._fd))

    @property
    def path(self) -> Path:
        return self._path

    def written_by_others(self, size: int) -> None:
        self.already([(0, size)])

    def _reads_zero(self) -> bool:
        """Whether samples of the device are zero: discards have been known to lie."""
        for part in range(17):
            offset = (self.size - zeros.BLOCK) * part // 16 // zeros.BLOCK * zeros.BLOCK
            if offset >= 0 and os.pread(self._fd, zeros.BLOCK, offset).strip(b"\0"):
                return False
        return True

    def _skip(self, start: int, end: int) -> None:
        if start < end and not self.zeroed:
            self._zero(start, end)

    def _put(self, batch: list[Buffer], offset: int) -> None:
        super()._put(batch, offset)
        if batch and not self.zeroed:
            with self._lock:
                self._touched.add(offset, offset + sum(len(part) for part in batch))

    def already(self, done: Iterable[tuple[int, int]]) -> None:
        """Tell what an earlier run has completed, so that it is not zeroed at the end."""
        for start, end in done:
            self._touched.add(start, end)

    def _zero(self, start: int, end: int) -> None:
        with self._translated():
            if not storage_calls.punch(self._fd, start, end - start):
                for offset in range(start, end, len(zeros.ZEROS)):
                    self._put_rest(zeros.ZEROS[: min(len(zeros.ZEROS), end - offset)], offset)
        with self._lock:
            self._touched.add(start, end)

    def finish(self, size: int) -> None:
        del size  # a device has the size it has; what lies behind the disk is zeroed
        if not self.zeroed and not self._update:
            for start, end in list(self._touched.missing(0, self.size)):
                self._zero(start, end)
        with self._translated():
            os.fsync(self._fd)
        self.close()
