"""
Project quotas: directories that are held to a size by their file system, xfs or ext4.

Whether a file system enforces them is asked of the kernel, each time: it does where it was mounted
with `prjquota`. A directory that is held has a project of its own, which files made in it inherit;
the number is noted in the directory itself, by the kernel. Blocking calls of microseconds; sizes in
bytes. Raises OSError.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# linux/fs.h: FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR and their struct fsxattr.
_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
_ATTRIBUTES: Final = struct.Struct("=5I8x")  # flags, extent size, extents, project, cow extents
_INHERIT: Final = 0x200  # FS_XFLAG_PROJINHERIT
# linux/dqblk_xfs.h; ext4 answers these, too.
_SET_LIMIT, _GET_QUOTA, _GET_STATE = 0x5804, 0x5803, 0x5808
_PROJECT: Final = 2  # PRJQUOTA
_ENFORCED: Final = 1 << 5  # FS_QUOTA_PDQ_ENFD
_STATE_SIZE: Final = 192  # struct fs_quota_statv; its first byte is a version, flags follow
_STATE: Final = struct.Struct("=bxH")
_QUOTA: Final = struct.Struct("=bbHI6Q2i2H4b3QiHh8x")  # struct fs_disk_quota
_PROJECT_FLAG: Final = 2  # FS_PROJ_QUOTA
_HARD_BLOCKS: Final = 1 << 3  # FS_DQ_BHARD
_UNIT: Final = 512  # bytes, of limits
_QUOTACTL_FD: Final = 443  # the number of the system call, on all machines
# Projects of administrators have small numbers.
_FIRST, _LAST = 0x4000_0000, 0x7FFF_FFFF

# What file systems say that have no projects, or no quotas.
_WITHOUT: Final = (
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.ESRCH,
    errno.EINVAL,
    errno.ENOENT,
)

_choosing = threading.Lock()


def enforced(directory: Path) -> bool:
    """Whether the file system of a directory holds projects to their limits."""
    state = ctypes.create_string_buffer(_STATE_SIZE)
    state[0] = b"\x01"  # FS_QSTATV_VERSION1
    try:
        with _opened(directory) as fd:
            _quotactl(fd, _GET_STATE, 0, state)
    except OSError:
        return False  # it has none, the kernel has none, or we may not ask
    return bool(_STATE.unpack_from(state)[1] & _ENFORCED)


def hold(directory: Path, size: int) -> None:
    """Hold a directory, which is empty when this is done first, to a size; again to another one."""
    with _opened(directory) as fd, _choosing:
        project = _project_of(fd)
        if not project:
            project = _free_project(fd, directory)
            _join(fd, project)
        _limit(fd, project, size)


def let_go(directory: Path) -> None:
    """Hold a directory no longer: its project's number is free again."""
    with _opened(directory) as fd:
        if project := _project_of(fd):
            _limit(fd, project, 0)


def limit_of(directory: Path) -> int:
    """What a directory is held to; 0 where it is not."""
    with _opened(directory) as fd:
        project = _project_of(fd)
        if not project:
            return 0
        try:
            return _quota(fd, project)[4] * _UNIT
        except OSError as error:
            if error.errno in _WITHOUT:
                return 0  # the file system was mounted without quotas since
            raise


def _project_of(fd: int) -> int:
    """The project of a directory that is held; 0 for one that is not."""
    try:
        flags, _, _, project, _ = _attributes(fd)
    except OSError as error:
        if error.errno in _WITHOUT:
            return 0
        raise
    ours = flags & _INHERIT and _FIRST <= project <= _LAST
    return project if ours else 0


def _attributes(fd: int) -> tuple[int, ...]:
    return _ATTRIBUTES.unpack(fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))


def _join(fd: int, project: int) -> None:
    flags, extent, extents, _, cow = _attributes(fd)
    made = _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, project, cow)
    fcntl.ioctl(fd, _SET_ATTRIBUTES, made)


def _free_project(fd: int, directory: Path) -> int:
    """A number that nobody uses on this file system; the search begins at the directory's name."""
    count = _LAST - _FIRST + 1
    start = zlib.crc32(os.fsencode(directory.name)) % count
    for step in range(count):
        project = _FIRST + (start + step) % count
        try:
            found = _quota(fd, project)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                return project
            raise
        if not any(found[4:10]):  # limits, and what is used
            return project
    raise OSError(errno.ENOSPC, "there is no free number for a project")


def _limit(fd: int, project: int, size: int) -> None:
    quota = (1, _PROJECT_FLAG, _HARD_BLOCKS, project, -(-size // _UNIT), *[0] * 19)
    _quotactl(fd, _SET_LIMIT, project, ctypes.create_string_buffer(_QUOTA.pack(*quota)))


def _quota(fd: int, project: int) -> tuple[int, ...]:
    buffer = ctypes.create_string_buffer(_QUOTA.size)
    _quotactl(fd, _GET_QUOTA, project, buffer)
    return _QUOTA.unpack(buffer.raw[: _QUOTA.size])


def _quotactl(fd: int, command: int, project: int, data: ctypes.Array[ctypes.c_char]) -> None:
    code = command << 8 | _PROJECT
    if _libc().syscall(_QUOTACTL_FD, fd, code, project, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"project quotas: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(directory, flags)
    try:
        yield fd
    finally:
        os.close(fd)
