"""
A disk of zeros, and nothing else.

On a file system it is a sparse file, or one whose blocks are all allocated. A block device is
discarded rather than trusted to be empty; preallocated, all of it is written. Sizes in bytes;
raises TargetError, InvalidRequest.
"""

from __future__ import annotations

from pathlib import Path

from cdi.images import errors
from cdi.images import target as targets


def make_file(path: Path, size: int | None, *, preallocate: bool) -> None:
    """Make the disk `path`, durably."""
    if not size:
        raise errors.InvalidRequest("a blank disk needs a size; the claim requests none")
    targets.remove_partial(path)
    with targets.FileTarget(path, size, preallocate=preallocate) as disk:
        disk.finish(size)


def clear_device(path: Path, *, preallocate: bool) -> None:
    """Make all of a block device read as zeros, durably."""
    with targets.BlockTarget(path, None, preallocate=preallocate) as device:
        device.finish(0)
