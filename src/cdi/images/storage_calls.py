"""
The Linux calls on open files that Python does not offer: allocate, punch, zero, write back.

Calls return False where the file system or device cannot do it, and raise OSError for any other
failure. Offsets and lengths in bytes. Facts: fallocate(2), sync_file_range(2),
syncfs(2), linux/fs.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct

_FALLOC_KEEP_SIZE = 0x01
_FALLOC_PUNCH_HOLE = 0x02
_SYNC_WAIT_BEFORE, _SYNC_WRITE, _SYNC_WAIT_AFTER = 1, 2, 4
_BLKZEROOUT = 0x127F  # _IO(0x12, 127)

_CANNOT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EINVAL, errno.ENODEV}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_libc.syncfs.argtypes = [ctypes.c_int]
_libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def allocate(fd: int, length: int) -> bool:
    """Give the file's first `length` bytes real blocks that read as zeros."""
    return _fallocate(fd, 0, 0, length)


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
