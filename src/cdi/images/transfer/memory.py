"""
How the C library's allocator should treat a process that moves large buffers.

By default glibc gives freed buffers of a MiB back to the kernel at once and asks for them again a
moment later; zeroing those pages took a third of the system time of an import. Keeping them costs
some resident memory, which stays bounded since the number of buffers is. Elsewhere than on glibc
this does nothing.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # malloc.h

_SETTINGS = {
    _MMAP_THRESHOLD: 32 << 20,
    _TRIM_THRESHOLD: 64 << 20,
    _TOP_PAD: 1 << 20,
    # Every thread would otherwise keep buffers of its own.
    _ARENA_MAX: 4,
}


def keep_buffers() -> None:
    """Tell the allocator once, at the start of a process that runs transfers."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _SETTINGS.items():
            mallopt(parameter, value)
