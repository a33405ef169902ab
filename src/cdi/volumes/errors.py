"""
Why something could not be done with a volume.

All are OSErrors with an error number, so that whoever hands them on need not know each. Errors of
the storage itself, such as a full disk, come as they are.
"""

from __future__ import annotations

import errno


class VolumeError(OSError):
    """What was asked cannot be done; nothing was changed."""

    number = errno.EINVAL

    def __init__(self, message: str) -> None:
        super().__init__(self.number, message)

    def __str__(self) -> str:
        return str(self.strerror)


class Missing(VolumeError, FileNotFoundError):
    """There is no such volume, or its data is gone."""

    number = errno.ENOENT


class PoolMissing(VolumeError, FileNotFoundError):
    """The pool's directory is gone: perhaps a disk is not mounted."""

    number = errno.ENOENT


class TooSmall(VolumeError):
    """The new volume would be smaller than what it is to hold."""

    number = errno.ERANGE


class TooLarge(VolumeError):
    """The volume would be larger than all that there is."""

    number = errno.EFBIG


class Different(VolumeError):
    """There is a volume or snapshot of this name, but another one."""

    number = errno.EEXIST


class InUse(VolumeError):
    """Somebody uses it."""

    number = errno.EBUSY


class Changed(VolumeError):
    """The volume was written to while it was copied: the copy would be of no moment."""

    number = errno.EBUSY


class Unsupported(VolumeError):
    """The volume holds something that is not copied."""

    number = errno.EOPNOTSUPP


class Cancelled(VolumeError):
    """Whoever had asked for it wants it no longer."""

    number = errno.ECANCELED
