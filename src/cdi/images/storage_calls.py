"""
The Linux calls on open files that Python does not offer: allocate, punch, zero, write back.

Calls return False where the file system or device cannot do it, and raise OSError for any other
failure. Offsets and lengths in bytes. Facts: fallocate(2), sync_file_range(2),
syncfs(2), linux/fs.h, linux/fiemap.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from typing import Final

_FALLOC_KEEP_SIZE = 0x01
_FALLOC_PUNCH_HOLE = 0x02
_SYNC_WAIT_BEFORE, _SYNC_WRITE, _SYNC_WAIT_AFTER = 1, 2, 4
_BLKZEROOUT = 0x127F  # _IO(0x12, 127)
_FS_IOC_FIEMAP: Final = 0xC020660B  # _IOWR('f', 11, struct fiemap)
_FIEMAP: Final = struct.Struct("=QQIIII")  # start, length, flags, mapped, room for, reserved
_FIEMAP_EXTENT: Final = struct.Struct("=QQQ16xI12x")  # logical, physical, length, flags
_FIEMAP_LAST: Final = 0x01
_EXTENTS_AT_ONCE: Final = 256

_CANNOT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EINVAL, errno.ENODEV}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_libc.syncfs.argtypes = [ctypes.c_int]
_libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def allocate(fd: int, length: int) -> bool:
    """Give a file of at least `length` bytes real blocks up to there; new ones read as zeros.

    Only where it has none: XFS wants as much free space as a range is long, whatever of the range
    has its blocks already, so that asking twice would fail on a disk half full.
    """
    return all(_fallocate(fd, 0, start, end - start) for start, end in _without_blocks(fd, length))


def insist_on_room(fd: int, length: int) -> None:
    """Raise OSError where a file cannot have so many bytes.

    Asked before they are allocated, since a file system may fill itself up before it gives up.
    """
    free, own = os.fstatvfs(fd), os.fstat(fd).st_blocks * 512
    if length > free.f_bavail * free.f_frsize + own:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data`, in as many calls as that takes."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def punch(fd: int, start: int, length: int) -> bool:
    """Make bytes read as zeros and give their blocks back.

    On a block device the kernel does this only where the device zeroes by itself, never by
    writing, so that True means fast and guaranteed.
    """
    return _fallocate(fd, _FALLOC_PUNCH_HOLE | _FALLOC_KEEP_SIZE, start, length)


def zero_device(fd: int, start: int, length: int) -> bool:
    """Make bytes of a block device read as zeros, by offload or, in the kernel, by writing."""
    try:
        fcntl.ioctl(fd, _BLKZEROOUT, struct.pack("QQ", start, length))
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def start_writeback(fd: int) -> bool:
    """Ask for the file's dirty pages to be written, without waiting."""
    return _sync_file_range(fd, 0, 0, _SYNC_WRITE)


def wait_writeback(fd: int) -> bool:
    """Write the file's dirty pages and wait; metadata and the device's cache are not flushed."""
    return _sync_file_range(fd, 0, 0, _SYNC_WAIT_BEFORE | _SYNC_WRITE | _SYNC_WAIT_AFTER)


def sync_filesystem(fd: int) -> bool:
    """Write all that is dirty in the file system that `fd` is on, names included, and wait."""
    return _done(_libc.syncfs(fd))


def _without_blocks(fd: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the first `length` bytes that have no blocks, written or not."""
    at = 0
    for start, end in _extents(fd, length):
        if start > at:
            yield at, min(start, length)
        at = max(at, end)
    if at < length:
        yield at, length


def _extents(fd: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield what has blocks, in order; nothing where the file system keeps no map of that."""
    at = 0
    while at < length:
        head = _FIEMAP.pack(at, length - at, 0, 0, _EXTENTS_AT_ONCE, 0)
        answer = bytearray(head + bytes(_FIEMAP_EXTENT.size * _EXTENTS_AT_ONCE))
        try:
            fcntl.ioctl(fd, _FS_IOC_FIEMAP, answer)
        except OSError as error:
            if error.errno in _CANNOT:
                return
            raise
        mapped = _FIEMAP.unpack_from(answer)[3]
        for number in range(mapped):
            place = _FIEMAP.size + number * _FIEMAP_EXTENT.size
            start, _, size, flags = _FIEMAP_EXTENT.unpack_from(answer, place)
            yield start, start + size
            at = start + size
            if flags & _FIEMAP_LAST:
                return
        if not mapped:
            return


def _fallocate(fd: int, mode: int, start: int, length: int) -> bool:
    return _done(_libc.fallocate(fd, mode, start, length))


def _sync_file_range(fd: int, start: int, length: int, flags: int) -> bool:
    return _done(_libc.sync_file_range(fd, start, length, flags))


def _done(result: int) -> bool:
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code))
