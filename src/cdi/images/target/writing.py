"""
What every target does: leave zeros out, join neighbours, and keep dirty pages bounded.

Where holes are not zeros, or are not wanted, it fills them (`filling`).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator

from cdi.images import storage_calls
from cdi.images.target import failures, paths, samples
from cdi.images.target.filling import BLOCK, ZEROS, Filling
from cdi.images.target.target import Target
from cdi.images.writes import Buffer, Change, Zeros

# One pwritev takes at most this much, so that a slow device shows in progress and cancelling.
BATCH = 4 << 20
# After so many new bytes the kernel is asked to begin writing back, so that the final sync finds
# little left to do. At half of the limit one thread waits for that; at the limit they all do, so
# that a slow disk does not fill a small memory cgroup with dirty pages.
WRITEBACK_STEP = 8 << 20
DIRTY_LIMIT = 64 << 20
# For one that is not to fill the page cache at all.
_DIRECT_STEP, _DIRECT_LIMIT = 4 << 20, 16 << 20
_IOV_MAX = 512

_ZERO_BLOCK = ZEROS[:BLOCK]
_RUNS = (ZEROS, ZEROS[: 64 << 10], _ZERO_BLOCK)  # long ones first: one call for many blocks


class Writer(Target):
    """A target that is an open file, be it a device."""

    def __init__(self, fd: int, name: str, *, direct_io: bool = False) -> None:
        """Write to `fd`. `direct_io`: leave next to nothing in the page cache."""
        self._fd = fd
        self._name = name
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._failed: OSError | None = None
        self._direct_io = direct_io
        self._step, self._limit = (
            (_DIRECT_STEP, _DIRECT_LIMIT) if direct_io else (WRITEBACK_STEP, DIRTY_LIMIT)
        )
        self._dirty = 0
        self._started = 0
        self._filling: Filling | None = None  # once holes are not zeros, or are not wanted
        self.written, self.seconds = 0, 0.0

    @property
    def tag(self) -> str:
        return paths.tag_for(self._fd)

    def close(self) -> None:
        """Let go of the file descriptor; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, writes: Iterable[Change]) -> list[tuple[int, int]]:
        began = time.perf_counter()
        ranges = self._write(writes)
        with self._lock:
            self.seconds += time.perf_counter() - began
        return ranges

    def _write(self, writes: Iterable[Change]) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        batch: list[Buffer] = []
        start = end = 0
        for write in writes:
            if isinstance(write, Zeros):
                self._skip(write.offset, write.end)
                ranges.append((write.offset, write.end))
                continue
            data = write.data if isinstance(write.data, bytes | bytearray) else bytes(write.data)
            at = 0
            for low, high in data_runs(data, write.offset):
                self._skip(write.offset + at, write.offset + low)
                if write.offset + low != end or end - start >= BATCH or len(batch) >= _IOV_MAX:
                    self._put(batch, start)
                    batch, start = [], write.offset + low
                batch.append(data if high - low == len(data) else memoryview(data)[low:high])
                end = write.offset + high
                at = high
            self._skip(write.offset + at, write.offset + len(data))
            ranges.append((write.offset, write.offset + len(data)))
        self._put(batch, start)
        return ranges

    def _skip(self, start: int, end: int) -> None:
        """[start, end) is zero: see to it, unless it is so already."""
        if self._filling is not None and start < end:
            self._filling.zero(start, end)

    def already(self, done: Iterable[tuple[int, int]]) -> None:
        if self._filling is not None:
            self._filling.wrote(done)

    def put(self) -> tuple[tuple[int, int], ...]:
        return () if self._filling is None else self._filling.written()

    def fill(self, size: int) -> Iterator[tuple[int, int]]:
        return iter(()) if self._filling is None else self._filling.rest(size)

    def _put(self, batch: list[Buffer], offset: int) -> None:
        if not batch:
            return
        length = sum(len(part) for part in batch)
        with self._translated():
            done = os.pwritev(self._fd, batch, offset)
            if done < length:
                storage_calls.write(self._fd, b"".join(batch)[done:], offset + done)
        if self._filling is not None:
            self._filling.wrote([(offset, offset + length)])
        self._account(length)

    def _account(self, length: int) -> None:
        with self._lock:
            self.written += length
            self._dirty += length
            full = self._dirty >= self._limit
            some = self._dirty >= self._limit // 2
            start = self._dirty - self._started >= self._step
            if start:
                self._started = self._dirty
        if (start or some) and self._syncing.acquire(blocking=full):
            try:
                with self._reported():
                    self._drain() if some else storage_calls.start_writeback(self._fd)
            finally:
                self._syncing.release()

    def _drain(self) -> None:
        with self._lock:
            due = self._dirty
        if due >= self._limit // 2:  # or else another thread has just waited
            if not storage_calls.wait_writeback(self._fd):
                os.fdatasync(self._fd)
            self._forget_pages()
            with self._lock:
                self._dirty -= due
                self._started = max(0, self._started - due)

    def _forget_pages(self) -> None:
        if self._direct_io:
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def read_back(self, start: int, length: int) -> bytes:
        with self._translated():
            return os.pread(self._fd, length, start)

    def flush(self) -> None:
        with self._syncing, self._reported():
            os.fdatasync(self._fd)
            self._forget_pages()

    def _sync(self) -> None:
        with self._syncing, self._reported():
            os.fsync(self._fd)
            self._forget_pages()

    @property
    def lossy(self) -> bool:
        return self._failed is not None

    def samples(self, ranges: Iterable[tuple[int, int]]) -> list[samples.Sample]:
        return samples.samples_of(self._fd, ranges)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failures.target_error(error, self._name) from error

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Around calls that write back. The owner of `_syncing` may call it.

        The kernel drops what it could not write, and says so once: whoever asks next hears that
        all is well. So the first failure stays.
        """
        if self._failed is not None:
            raise failures.target_error(self._failed, self._name)
        try:
            yield
        except OSError as error:
            self._failed = error
            raise failures.target_error(error, self._name) from error


def data_runs(data: bytes | bytearray, offset: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of `data` that hold anything but zero blocks.

    Blocks are aligned as the bytes will lie in the target, `data[0]` being at `offset`.
    """
    size = len(data)
    at = 0
    is_zero = data.startswith
    last = size - BLOCK
    while at < size:
        at = _zeros_end(data, at, offset, size)
        if at >= size:
            return
        start = at
        at += BLOCK - (offset + at) % BLOCK
        # One call a block: this loop sees every byte of every disk.
        while at <= last and not is_zero(_ZERO_BLOCK, at):
            at += BLOCK
        if last < at < size and not is_zero(ZEROS[: size - at], at):
            at = size
        at = min(at, size)
        yield start, at


def _zeros_end(data: bytes | bytearray, at: int, offset: int, size: int) -> int:
    odd = min(-(offset + at) % BLOCK, size - at)
    if not data.startswith(ZEROS[:odd], at):
        return at
    at += odd
    for run in _RUNS:
        while size - at >= len(run) and data.startswith(run, at):
            at += len(run)
    if size - at < BLOCK and data.startswith(ZEROS[: size - at], at):
        return size
    return at
