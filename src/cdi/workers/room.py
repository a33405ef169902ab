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
from cdi.images.transfer.journalfile import journal_path

MIB = 1 << 20
_BLOCK = 512  # what st_blocks counts in


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What a volume lies on."""

    size: int
    free: int  # for us


@dataclass(frozen=True, slots=True)
class Room:
    """What may be taken in a volume.

    `size` is the disk's size in the end, `most` the largest image that is accepted; both are
    None where nobody said how large the disk should be, or where a device decides.
    """

    size: int | None
    most: int | None


def room_for(
    found: FileSystem, requested: int | None, overhead: Decimal, *, preallocated: bool = False
) -> Room:
    """Return the room in a file system, for a claim of `requested`.

    A volume of its own that is smaller than the claim (its file system needs some of it) is the
    limit: a larger image takes a larger claim. A file system that is as large as the claim is
    shared with others, as on one machine: what is free there now says nothing of the claim, and
    a disk that does not fit any more is out of space, not too large. A preallocated disk leaves
    its journal and the file system, which notes its extents, a MiB of such a limit.
    """
    if requested is None:
        return Room(None, None)
    most = requested if found.size >= requested else min(found.free, requested)
    size = min(usable(most, overhead), requested)
    if preallocated and most < requested:
        size = min(size, usable(max(most - MIB, 0), Decimal(0)))
    return Room(size=size, most=most)


def shortfall(found: Room, requested: int | None, overhead: Decimal) -> str:
    """Say that a volume has less room than its overhead explains; empty where it has enough.

    A disk in it becomes smaller than its claim made believe. Clients of the original take such
    volumes, so that they are not refused.
    """
    if requested is None or found.size is None or found.most is None:
        return ""
    wanted = min(usable(requested, overhead), requested)
    if found.most >= wanted:
        return ""
    return (
        f"the disk has {found.size} bytes, less than the {wanted} that the claim makes expect: "
        f"the file system of the volume has {found.most} bytes free"
    )


def usable(size: int, overhead: Decimal) -> int:
    """Return what a file system of `size` bytes leaves for a disk: whole MiB.

    In double precision on purpose: the controllers size claims so that this comes out even.
    """
    return math.ceil(size / (1 + float(overhead))) // MIB * MIB


def file_system_of(directory: Path, own: Iterable[Path] = ()) -> FileSystem:
    """Return size and free bytes of the file system that `directory` is on.

    What the files `own` occupy counts as free: they are continued, or make way.
    """
    try:
        found = os.statvfs(directory)
    except OSError as error:
        raise targets.target_error(error, str(directory)) from error
    free = found.f_bavail * found.f_frsize + sum(map(_occupied, own))
    return FileSystem(size=found.f_blocks * found.f_frsize, free=free)


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
