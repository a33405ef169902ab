"""
Where disks lie, what tells one from another, and what a failed call on one means.

What stands under a name now may be another file or device than before. A file is known by its file
system, its inode and its birth, a device by what its maker or the kernel gave it: its WWID, serial
number or UUID; the file behind a loop device; else the kernel's count of devices (diskseq), which
is another one after each change of what is in it. Its size belongs to it in any case. Facts:
statx(2), statfs(2), Documentation/ABI/stable/sysfs-block. Elsewhere: whether the bytes are still
there (`samples`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path
from typing import Final

from cdi.images import errors

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SYSFS: Final = Path("/sys/dev/block")
_GIVEN: Final = ("wwid", "device/wwid", "device/serial", "serial", "dm/uuid", "md/uuid")

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


def device_size(path: Path) -> int:
    """Return a block device's size in bytes."""
    try:
        with path.open("rb") as device:
            return device.seek(0, os.SEEK_END)
    except OSError as error:
        raise target_error(error, str(path)) from error


def tag_for(fd: int) -> str:
    """Return what tells this open file or device from every other one."""
    status = os.fstat(fd)
    if stat.S_ISBLK(status.st_mode):
        size = os.lseek(fd, 0, os.SEEK_END)
        return f"device {_device(status.st_rdev)} of {size} bytes"
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


def _birth_of(fd: int) -> str:
    """When the file was made, to the nanosecond; nothing where the file system does not know."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if _libc.statx(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return ""
    (mask,) = struct.unpack_from("=I", buffer)
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _STATX_BTIME_AT)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else ""


def _device(number: int) -> str:
    place = _SYSFS / f"{os.major(number)}:{os.minor(number)}"
    for name in _GIVEN:
        if given := _read(place / name):
            return f"{name} {given}"
    if behind := _read(place / "loop/backing_file"):
        # A file that is not to be seen from here is known by its name and by the kernel's count.
        if (tag := tag_at(Path(behind))) is not None:
            return f"loop of {tag} from {_read(place / 'loop/offset')}"
        return f"loop of {behind}, {_read(place / 'diskseq')}"
    return f"{os.major(number)}:{os.minor(number)}, {_read(place / 'diskseq')}"


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
