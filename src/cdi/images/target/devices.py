"""
What tells one block device from another, and how large it is.

It is known by what its maker or the kernel gave it: its WWID, serial number or UUID; the file
behind a loop device; else the kernel's count of devices (diskseq), which is another one after each
change of what is in it. Its size belongs to it in any case. Facts:
Documentation/ABI/stable/sysfs-block.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cdi.images.target import failures

TagAt = Callable[[Path], str | None]

_SYSFS: Final = Path("/sys/dev/block")
_GIVEN: Final = ("wwid", "device/wwid", "device/serial", "serial", "dm/uuid", "md/uuid")


def device_size(path: Path) -> int:
    """Return a block device's size in bytes."""
    try:
        with path.open("rb") as device:
            return device.seek(0, os.SEEK_END)
    except OSError as error:
        raise failures.target_error(error, str(path)) from error


def tag_for(fd: int, number: int, tag_at: TagAt) -> str:
    """Return what tells an open device from every other one; `tag_at` does so for a file."""
    return f"device {_device(number, tag_at)} of {os.lseek(fd, 0, os.SEEK_END)} bytes"


def _device(number: int, tag_at: TagAt) -> str:
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
