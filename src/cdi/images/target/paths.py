"""Where disks lie, what tells one from another, and what a failed call on one means."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from cdi.images import errors
from cdi.images.target import identity

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def partial_path(path: Path) -> Path:
    """Where a disk for `path` grows until it is complete."""
    return path.with_name(path.name + ".cdi-partial")


def tag_of(path: Path, *, complete: bool = False) -> str | None:
    """Return the tag of the device at `path`, or of the partial file for it; None without one.

    `complete` asks for the tag of the complete file instead.
    """
    return identity.tag_of(path_of_work(path, complete=complete))


def path_of_work(path: Path, *, complete: bool = False) -> Path:
    """Where the bytes for `path` are while it is written; `complete` if that is in place."""
    return path if complete or is_device(path) else partial_path(path)


def is_device(path: Path) -> bool:
    """Whether `path` is a block device."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def device_size(path: Path) -> int:
    """Return a block device's size in bytes."""
    try:
        with path.open("rb") as device:
            return device.seek(0, os.SEEK_END)
    except OSError as error:
        raise target_error(error, str(path)) from error


def target_error(error: OSError, name: str) -> errors.TargetError:
    """Say what a failed call on the target means for a person."""
    if error.errno in _FULL:
        return errors.NoSpace(
            f"no space left on device for {name}; make room or use a larger volume, "
            "then run again to continue"
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return errors.TargetFailed(f"{name}: the directory to write to does not exist")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return errors.TargetFailed(f"{name}: not allowed to write here ({error.strerror})")
    if error.errno == errno.EBUSY:
        return errors.TargetFailed(f"{name}: in use by somebody else (mounted, or another import)")
    return errors.TargetFailed(f"{name}: the storage reported an error: {error.strerror or error}")
