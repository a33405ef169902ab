"""What a failed call on a target means for a person."""

from __future__ import annotations

import errno

from cdi.images import errors

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def opening_error(error: OSError, name: str, *, update: bool) -> errors.TransferError:
    """Say what it means that a disk cannot be opened, which has to exist for an `update`."""
    if update and error.errno == errno.ENOENT:
        return errors.InvalidRequest(
            f"{name} does not exist, so that it cannot be brought up to date; "
            "import the whole disk first"
        )
    return target_error(error, name)


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
