"""
File systems on devices: made on blank ones only, and grown with them. Needs root and xfsprogs.

A device is blank where its beginning and its end can be read and hold nothing but zeros; whatever
else is there is somebody's data. Blocking calls; sizes in bytes. Raises OSError.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cdi.volumes import programs

_BEGINNING: Final = 4 << 20  # signatures of all file systems and of volume managers are in there
_END: Final = 1 << 20  # copies of partition tables, and RAID
_PATIENCE: Final = 600.0  # seconds; for slow disks


def size_of(device: Path) -> int:
    """How large a device is."""
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    finally:
        os.close(fd)


def is_blank(device: Path) -> bool:
    """Whether nothing is on a device. What cannot be read is no answer: it raises."""
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        return _is_zero(fd, 0, min(size, _BEGINNING)) and _is_zero(fd, max(0, size - _END), size)
    finally:
        os.close(fd)


def ensure_formatted(device: Path) -> bool:
    """Make a file system on a device that is blank; return whether it was."""
    if not is_blank(device):
        return False
    # Without -f: mkfs looks for itself, and makes nothing over what it knows.
    _run("mkfs.xfs", "-q", str(device))
    return True


def grow(mounted: Path) -> None:
    """Let the xfs that is mounted here have all of its device, which has become larger."""
    _run("xfs_growfs", "-d", str(mounted))


def _is_zero(fd: int, start: int, end: int) -> bool:
    position = start
    while position < end:
        piece = os.pread(fd, min(end - position, 1 << 20), position)
        if not piece:
            raise OSError(f"the device ends at {position}, before {end}")
        if piece.count(0) != len(piece):
            return False
        position += len(piece)
    return True


def _run(*command: str) -> None:
    programs.run(*command, patience=_PATIENCE)
