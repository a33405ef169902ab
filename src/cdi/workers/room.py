"""
How much room a volume has, and how large the disk in it becomes.

On a file system the disk gets what the claim asked for, less what the file system needs for
itself; an image that is larger than that, and still no larger than the volume, is taken as it
is, since a disk is never shrunk. A block device is as large as it is. Sizes are in bytes.

Raises TargetFailed where the volume cannot be looked at.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.transfer.journal import journal_path

MIB = 1 << 20
_BLOCK = 512  # what st_blocks counts in


@dataclass(frozen=True, slots=True)
class Room:
    """What may be taken in a volume.

    `size` is the disk's size in the end, `most` the largest image that is accepted; both are
    None where nobody said how large the disk should be, or where a device decides.
    """

    size: int | None
    most: int | None


def room_for(free: int, requested: int | None, overhead: Decimal) -> Room:
    """Return the room in a file system with `free` bytes, for a claim of `requested`."""
    if requested is None:
        return Room(None, None)
    most = min(free, requested)
    return Room(size=min(usable(most, overhead), requested), most=most)


def usable(size: int, overhead: Decimal) -> int:
    """Return what a file system of `size` bytes leaves for a disk: whole MiB.

    In double precision on purpose: the controllers size claims so that this comes out even.
    """
    return math.ceil(size / (1 + float(overhead))) // MIB * MIB


def free_in(directory: Path, own: Iterable[Path] = ()) -> int:
    """Return the free bytes of the file system that `directory` is on.

    What the files `own` occupy counts as free: they are continued, or make way.
    """
    try:
        found = os.statvfs(directory)
    except OSError as error:
        raise targets.target_error(error, str(directory)) from error
    return found.f_bavail * found.f_frsize + sum(map(_occupied, own))


def leftovers(disk: Path) -> tuple[Path, ...]:
    """Return the files that an earlier attempt at `disk` may have left."""
    return (
        targets.partial_path(disk),
        journal_path(disk),
    )


def clear(disk: Path) -> None:
    """Remove a disk that is about to be made anew, so that both need not fit.

    Raises InvalidRequest if something else than a file has its name.
    """
    try:
        disk.unlink(missing_ok=True)
    except IsADirectoryError as error:
        raise errors.InvalidRequest(f"{disk} is a directory; remove it from the volume") from error
    except OSError as error:
        raise targets.target_error(error, str(disk)) from error


def _occupied(path: Path) -> int:
    try:
        return path.lstat().st_blocks * _BLOCK
    except OSError:
        return 0
