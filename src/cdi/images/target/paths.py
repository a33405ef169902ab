"""
Where disks lie, and what tells one from another.

What stands under a name now may be another file or device than before. A file is known by its file
system, its inode and its birth, a device as `devices` says. Facts: statx(2), statfs(2). Elsewhere:
whether the bytes are still there (`samples`).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from pathlib import Path

# linux/stat.h
_AT_EMPTY_PATH = 0x1000
_STATX_BTIME, _STATX_BTIME_AT, _STATX_BYTES = 0x800, 80, 256

_libc = ctypes.CDLL(None, use_errno=True)
_libc.statx.argtypes = [
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p,
]  # fmt: skip


def partial_path(path: Path) -> Path:
    """Where a disk for `path` grows until it is complete."""
    return path.with_name(path.name + ".cdi-partial")


def tag_of(path: Path, *, complete: bool = False) -> str | None:
    """Return the tag of the device at `path`, or of the partial file for it; None without one.

    `complete` asks for the tag of the complete file instead.
    """
    return tag_at(path_of_work(path, complete=complete))


def path_of_work(path: Path, *, complete: bool = False) -> Path:
    """Where the bytes for `path` are while it is written; `complete` if that is in place."""
    return path if complete or is_device(path) else partial_path(path)


def is_device(path: Path) -> bool:
    """Whether `path` is a block device."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def tag_for(fd: int) -> str:
    """Return what tells this open file or device from every other one."""
    status = os.fstat(fd)
    if stat.S_ISBLK(status.st_mode):
        from cdi.images.target import devices

        return devices.tag_for(fd, status.st_rdev, tag_at)
    system = os.fstatvfs(fd).f_fsid or status.st_dev
    return f"file {system:x}:{status.st_ino}:{_birth_of(fd)}"


def tag_at(path: Path) -> str | None:
    """Return the tag of what is at a path; None where nothing is."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return tag_for(fd)
    finally:
        os.close(fd)


def is_at(fd: int, path: Path) -> bool:
    """Whether an open file is still the one that a path names."""
    try:
        named = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(named, os.fstat(fd))


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _birth_of(fd: int) -> str:
    """When the file was made, to the nanosecond; nothing where the file system does not know."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if _libc.statx(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return ""
    (mask,) = struct.unpack_from("=I", buffer)
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _STATX_BTIME_AT)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else ""
