"""
Loop devices: a file that the machine shows as a block device. Needs root, and util-linux.

Blocking calls of a few milliseconds. Raises OSError, with what losetup said.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from pathlib import Path
from typing import Final

from cdi.volumes import programs

_SYSTEM: Final = Path("/sys/block")
# linux/loop.h: LOOP_GET_STATUS64, which begins with device and inode of the file.
_GET_STATUS: Final = 0x4C05
_INFO_SIZE: Final = 232
_BACKING: Final = struct.Struct("=QQ")
_PATIENCE: Final = 30.0  # seconds; the kernel answers at once or is in trouble


def usable() -> bool:
    """Whether this process may make loop devices at all."""
    return os.geteuid() == 0 and shutil.which("losetup") is not None


def attach(file: Path) -> Path:
    """Return the device over `file`; the one that exists, if one does."""
    existing = attached(file)
    if existing:
        return existing[0]
    return Path(_losetup("--find", "--show", str(file)).strip())


def detach(file: Path) -> None:
    """Take away all devices over `file`; one that is in use goes when it is closed."""
    for device in attached(file):
        _losetup("--detach", str(device))


def refresh(file: Path) -> None:
    """Tell the devices over `file` that it has grown."""
    for device in attached(file):
        _losetup("--set-capacity", str(device))


def flush(file: Path) -> None:
    """Bring what was written to the devices over `file`, and is only in memory, into the file."""
    for device in attached(file):
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def attached(file: Path) -> list[Path]:
    """Return the devices over `file`.

    Asked of the kernel: losetup takes half a second where there are hundreds of devices.
    """
    try:
        status = file.stat()
    except FileNotFoundError:
        return []
    return [
        device
        for entry in sorted(_SYSTEM.glob("loop*/loop/backing_file"))
        if _may_be_over(entry, f"{file.parent.name}/{file.name}")
        and _is_over(device := _device_of(entry), status)
    ]


def _may_be_over(entry: Path, name: str) -> bool:
    """Whether the name fits, with its directory's: all that can be told without opening the device,
    as whoever made it may have seen the file at another place."""
    try:
        return entry.read_text(encoding="utf-8", errors="replace").rstrip("\n").endswith(name)
    except OSError:
        return False  # taken away meanwhile


def _device_of(entry: Path) -> Path:
    return Path("/dev") / entry.parent.parent.name


def _is_over(device: Path, status: os.stat_result) -> bool:
    """Whether a device is over just this file, by whatever path anybody has opened it."""
    try:
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        info = fcntl.ioctl(fd, _GET_STATUS, bytes(_INFO_SIZE))
    except OSError:
        return False  # taken away meanwhile
    finally:
        os.close(fd)
    return _BACKING.unpack_from(info) == (status.st_dev, status.st_ino)


def _losetup(*arguments: str) -> str:
    return programs.run("losetup", *arguments, patience=_PATIENCE)
