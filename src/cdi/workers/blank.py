"""
A disk of zeros, and nothing else.

On a file system it is a sparse file, or one whose blocks are all allocated. A block device is
discarded rather than trusted to be empty; preallocated, all of it is written. Sizes in bytes;
raises TargetError, InvalidRequest.
"""

from __future__ import annotations

import os
from pathlib import Path

from cdi.images import errors, storage_calls
from cdi.images import target as targets

_ZEROS = bytes(4 << 20)


def make_file(path: Path, size: int | None, *, preallocate: bool) -> None:
    """Make the disk `path`, durably."""
    if not size:
        raise errors.InvalidRequest("a blank disk needs a size; the claim requests none")
    targets.insist_unused(path)
    targets.partial_path(path).unlink(missing_ok=True)
    with targets.FileTarget(path, size, preallocate=preallocate) as disk:
        disk.finish(size)


def clear_device(path: Path, *, preallocate: bool) -> None:
    """Make all of a block device read as zeros, durably."""
    if preallocate:
        _write_zeros(path)
        return
    with targets.BlockTarget(path, None) as device:
        device.finish(0)


def _write_zeros(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            if not storage_calls.zero_device(fd, 0, size):
                _write_all(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise targets.target_error(error, str(path)) from error


def _write_all(fd: int, size: int) -> None:
    at = 0
    while at < size:
        at += os.pwrite(fd, _ZEROS[: min(len(_ZEROS), size - at)], at)
