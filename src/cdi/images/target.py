"""
The file or block device that receives a disk.

A target takes guest bytes at guest offsets, from several threads at once, writes only what is not
zero, and in the end holds exactly the disk: what nobody wrote reads as zeros, never as old data.

A file is written beside its final name, as `<name>.cdi-partial`, and renamed when it is complete,
synced and of the right size: the name existing is the commit point, and a failed or interrupted
transfer leaves whatever had that name before. A block device is written in place.

Zeros: a new file is all hole, so nothing is written for them. A block device is zeroed as a whole
at the start where the device can do that by itself; otherwise zero runs are written where they
are met, and what no write covered is zeroed at the end.

Raises NoSpace, TargetFailed, TooSmall, InvalidRequest. Offsets and sizes are in bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images.formats.layout import Buffer, Write
from cdi.images.intervals import Intervals

# Zeros are looked for in blocks of this size: what file systems allocate at least.
BLOCK = 4096
# One pwritev takes at most this much, so that a slow device shows in progress and cancelling.
BATCH = 4 << 20
# After so many new bytes the kernel is asked to begin writing back, so that the final sync finds
# little left to do; after the second figure we wait for it, so that a slow disk does not fill a
# small memory cgroup with dirty pages.
WRITEBACK_STEP = 8 << 20
DIRTY_LIMIT = 64 << 20

_MODE = 0o660  # spec/import.md, "Resize and final checks"
_ZEROS = bytes(1 << 20)
_ZERO_BLOCK = _ZEROS[:BLOCK]
_IOV_MAX = 512
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def data_runs(data: bytes, offset: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of `data` that hold anything but zero blocks.

    Blocks are aligned as the bytes will lie in the target, `data[0]` being at `offset`.
    """
    size = len(data)
    at = 0
    while at < size:
        at = _zeros_end(data, at, offset, size)
        if at >= size:
            return
        start = at
        at = min(at + BLOCK - (offset + at) % BLOCK, size)
        while at < size and not _is_zero_block(data, at, size):
            at += BLOCK
        at = min(at, size)
        yield start, at


def _zeros_end(data: bytes, at: int, offset: int, size: int) -> int:
    while size - at >= len(_ZEROS) and data.startswith(_ZEROS, at):
        at += len(_ZEROS)
    while at < size:
        step = min(BLOCK - (offset + at) % BLOCK, size - at)
        if not data.startswith(_ZERO_BLOCK if step == BLOCK else _ZEROS[:step], at):
            return at
        at += step
    return size


def _is_zero_block(data: bytes, at: int, size: int) -> bool:
    if size - at >= BLOCK:
        return data.startswith(_ZERO_BLOCK, at)
    return data.startswith(_ZEROS[: size - at], at)


class Target(ABC):
    """Where a disk goes. Use as a context manager; leaving it closes without finishing.

    Threads may call `write` at the same time for different bytes. The rest is for one owner.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name
        self._lock = threading.Lock()
        self._dirty = 0
        self._started = 0
        self.written = 0  # bytes handed to the kernel

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file descriptor; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, writes: Iterable[Write]) -> None:
        """Write all of `writes`, joining neighbours, leaving zeros out."""
        batch: list[Buffer] = []
        start = end = 0
        for write in writes:
            data = write.data if isinstance(write.data, bytes) else bytes(write.data)
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
        self._put(batch, start)

    @abstractmethod
    def _skip(self, start: int, end: int) -> None:
        """[start, end) is zero: see to it, now or later."""

    def _put(self, batch: list[Buffer], offset: int) -> None:
        if not batch:
            return
        length = sum(len(part) for part in batch)
        with self._translated():
            done = os.pwritev(self._fd, batch, offset)
            if done < length:
                self._put_rest(b"".join(batch)[done:], offset + done)
        self._account(length)

    def _put_rest(self, rest: bytes, offset: int) -> None:
        view = memoryview(rest)
        while view:
            done = os.pwrite(self._fd, view, offset)
            view, offset = view[done:], offset + done

    def _account(self, length: int) -> None:
        with self._lock:
            self.written += length
            self._dirty += length
            wait = self._dirty >= DIRTY_LIMIT
            start = wait or self._dirty - self._started >= WRITEBACK_STEP
            if start:
                self._started = self._dirty
            if wait:
                self._dirty = self._started = 0
        if not start:
            return
        with self._translated():
            able = storage_calls.start_writeback(self._fd)
            if wait and not (able and storage_calls.wait_writeback(self._fd)):
                os.fdatasync(self._fd)

    @property
    @abstractmethod
    def path(self) -> Path:
        """Where the bytes are while the disk is not complete."""

    @abstractmethod
    def written_by_others(self, size: int) -> None:
        """Another program writes the first `size` bytes, zeros included, through `path`."""

    def read_back(self, start: int, length: int) -> bytes:
        """Return what was written there."""
        with self._translated():
            return os.pread(self._fd, length, start)

    def flush(self) -> None:
        """Return when all that was written before the call would survive a power cut."""
        with self._translated():
            os.fdatasync(self._fd)

    @abstractmethod
    def finish(self, size: int) -> None:
        """Make the target the complete disk of `size` bytes, durably. The commit point."""

    @property
    @abstractmethod
    def tag(self) -> str:
        """Tells this very file or device from another one at the same path; see `tag_of`."""

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise target_error(error, self._name) from error


class FileTarget(Target):
    """A regular file, invisible under its own name until it is complete."""

    def __init__(
        self, path: Path, size: int | None, *, preallocate: bool = False, resume: bool = False
    ) -> None:
        """Open for a disk of `size` bytes (None: not known yet); `resume` keeps what is there."""
        self._final = path
        self._partial = partial_path(path)
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        if not resume:
            flags |= os.O_CREAT | os.O_EXCL
        try:
            fd = os.open(self._partial, flags, _MODE)
        except OSError as error:
            raise target_error(error, str(path)) from error
        super().__init__(fd, str(path))
        self._preallocate = preallocate
        try:
            _lock(fd, path)
            with self._translated():
                if size is not None and os.fstat(fd).st_size < size:
                    os.ftruncate(fd, size)
                if preallocate and size is not None and not resume:
                    self._allocate(size)
        except BaseException:
            self.close()
            raise

    @property
    def tag(self) -> str:
        return _tag(os.fstat(self._fd))

    @property
    def path(self) -> Path:
        return self._partial

    def written_by_others(self, size: int) -> None:
        del size  # a file needs no care: what nobody writes is a hole

    def _allocate(self, size: int) -> None:
        if size and not storage_calls.allocate(self._fd, size):
            for offset in range(0, size, len(_ZEROS)):
                self._put([_ZEROS[: min(len(_ZEROS), size - offset)]], offset)

    def _skip(self, start: int, end: int) -> None:
        """Nothing to do: the file was created empty, so its holes are zeros."""

    def finish(self, size: int) -> None:
        with self._translated():
            if os.fstat(self._fd).st_size != size:
                os.ftruncate(self._fd, size)
            if self._preallocate:
                storage_calls.allocate(self._fd, size) if size else None
            os.fchmod(self._fd, _MODE)
            os.fsync(self._fd)
            self._partial.replace(self._final)
            sync_directory(self._final.parent)
        self.close()


class BlockTarget(Target):
    """A block device, written in place."""

    def __init__(
        self, path: Path, size: int | None, *, resume: bool = False, zeroed: bool = False
    ) -> None:
        """Open exclusively. `zeroed`: an earlier run of this transfer has zeroed all of it."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        except OSError as error:
            raise target_error(error, str(path)) from error
        super().__init__(fd, str(path))
        self._path = path
        self._touched = Intervals()
        try:
            with self._translated():
                self.size = os.lseek(fd, 0, os.SEEK_END)
                if size is not None and size > self.size:
                    raise errors.TooSmall(size, self.size)
                if resume:
                    self.zeroed = zeroed
                else:
                    self.zeroed = storage_calls.punch(fd, 0, self.size) and self._reads_zero()
        except BaseException:
            self.close()
            raise

    @property
    def tag(self) -> str:
        return _tag(os.fstat(self._fd))

    @property
    def path(self) -> Path:
        return self._path

    def written_by_others(self, size: int) -> None:
        self.already([(0, size)])

    def _reads_zero(self) -> bool:
        """Whether samples of the device are zero: discards have been known to lie."""
        for part in range(17):
            offset = (self.size - BLOCK) * part // 16 // BLOCK * BLOCK
            if offset >= 0 and os.pread(self._fd, BLOCK, offset).strip(b"\0"):
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
                for offset in range(start, end, len(_ZEROS)):
                    self._put_rest(_ZEROS[: min(len(_ZEROS), end - offset)], offset)
        with self._lock:
            self._touched.add(start, end)

    def finish(self, size: int) -> None:
        del size  # a device has the size it has; what lies behind the disk is zeroed
        if not self.zeroed:
            for start, end in list(self._touched.missing(0, self.size)):
                self._zero(start, end)
        with self._translated():
            os.fsync(self._fd)
        self.close()


def partial_path(path: Path) -> Path:
    """Where a disk for `path` grows until it is complete."""
    return path.with_name(path.name + ".cdi-partial")


def tag_of(path: Path) -> str | None:
    """Return the tag of the device at `path`, or of the partial file for it; None without one."""
    try:
        return _tag((path if is_device(path) else partial_path(path)).stat())
    except OSError:
        return None


def insist_unused(path: Path) -> None:
    """Raise TargetFailed if a partial disk for `path` exists and somebody is writing it."""
    try:
        fd = os.open(partial_path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        _lock(fd, path)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise errors.TargetFailed(f"{path}: another import is writing it just now") from error


def _tag(status: os.stat_result) -> str:
    if stat.S_ISBLK(status.st_mode):
        return f"device {status.st_rdev}"
    return f"file {status.st_dev}:{status.st_ino}"


def is_device(path: Path) -> bool:
    """Whether `path` is a block device."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def device_size(path: Path) -> int:
    """Return a block device's size in bytes."""
    try:
        with path.open("rb") as device:
            return device.seek(0, os.SEEK_END)
    except OSError as error:
        raise target_error(error, str(path)) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def target_error(error: OSError, name: str) -> errors.TargetError:
    """Say what a failed call on the target means for a person."""
    if error.errno in _FULL:
        return errors.NoSpace(
            f"no space left on device for {name}; make room or use a larger volume, "
            "then run again to continue"
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return errors.TargetFailed(f"{name}: the directory to write to does not exist")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return errors.TargetFailed(f"{name}: not allowed to write here ({error.strerror})")
    if error.errno == errno.EBUSY:
        return errors.TargetFailed(f"{name}: in use by somebody else (mounted, or another import)")
    return errors.TargetFailed(f"{name}: the storage reported an error: {error.strerror or error}")
