"""
Copy files so that holes stay holes, and data is shared where the file system can share it.

Three ways, each tried where the one before is not to be had: a reflink (FICLONE), which takes no
time and no space; `copy_file_range` over the extents with data, in the kernel; reading and
writing, where zeros become holes. Blocking calls on open files; sizes and offsets in bytes.

A copy is checked: a file that changes while it is copied raises Changed (by its time, which older
kernels keep to some milliseconds), one that ends early OSError. A reflink is of one moment, and
needs no such check. Of what is copied, nothing is synced here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cdi.volumes import errors

_FICLONE: Final = 0x4004_9409
_PIECE: Final = 32 << 20  # in one call: what a cancelled copy may still go on for
_BLOCK: Final = 128 << 10  # looked at for zeros
_ZEROS: Final = bytes(_BLOCK)
# That a call is not to be had for these files; anything else is an error of the storage.
_NOT_TO_BE_HAD: Final = frozenset(
    {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EPERM}
)


@dataclass(frozen=True, slots=True)
class Copied:
    """How a file was copied."""

    shared: bool  # by reflink
    data: int  # bytes that were copied: 0 for a reflink


def copy_file(source: int, target: int, cancel: threading.Event | None = None) -> Copied:
    """Copy an open file into another one that is empty."""
    if share(source, target):
        return Copied(shared=True, data=0)
    # Where there are no extents (ext2, ext3), data that has no block yet counts as a hole.
    os.fsync(source)
    before = os.fstat(source)
    os.ftruncate(target, before.st_size)
    copied = 0
    for start, end in data_extents(source, before.st_size):
        _copy_range(source, target, start, end, cancel)
        copied += end - start
    after = os.fstat(source)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise errors.Changed("it was written to while it was copied; stop what uses it")
    return Copied(shared=False, data=copied)


def share(source: int, target: int) -> bool:
    """Have two files share all their data, if the file system can; return whether it does."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_TO_BE_HAD:
            return False
        raise
    return True


def data_extents(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where a file that was synced has data: begin and end of each extent."""
    at = 0
    while at < size:
        try:
            start = os.lseek(file, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        at = min(os.lseek(file, start, os.SEEK_HOLE), size)
        if start < at:
            yield start, at


def _copy_range(
    source: int, target: int, start: int, end: int, cancel: threading.Event | None
) -> None:
    copy = _in_kernel
    while start < end:
        if cancel is not None and cancel.is_set():
            raise errors.Cancelled("the copy was cancelled")
        count = min(end - start, _PIECE)
        try:
            done = copy(source, target, start, count)
        except OSError as error:
            if copy is _by_hand or error.errno not in _NOT_TO_BE_HAD:
                raise
            copy = _by_hand
            continue
        if done == 0:
            raise OSError(errno.EIO, f"the file ends at {start}, before its size says")
        start += done


def _in_kernel(source: int, target: int, start: int, count: int) -> int:
    return os.copy_file_range(source, target, count, start, start)


def _by_hand(source: int, target: int, start: int, count: int) -> int:
    piece = os.pread(source, min(count, _BLOCK), start)
    if piece != _ZEROS[: len(piece)]:
        written = 0
        while written < len(piece):
            written += os.pwrite(target, piece[written:], start + written)
    return len(piece)
