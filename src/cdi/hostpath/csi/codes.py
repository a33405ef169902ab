"""
Which status code an error is, and what it says. Pure.

The codes decide what Kubernetes does: after ResourceExhausted it looks for another node, after
Aborted and Unavailable it asks again for the same, after all others it may take back its wish.
"""

from __future__ import annotations

import enum
import errno
from typing import Final

from cdi.volumes import errors


class Code(enum.IntEnum):
    """The status codes of gRPC that the driver uses."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class Refused(Exception):
    """A call that is not carried out: why, for people and as a code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, message)


def missing(message: str) -> Refused:
    return Refused(Code.NOT_FOUND, message)


# Classes before numbers: they say more.
_BY_CLASS: Final[tuple[tuple[type[Exception], Code], ...]] = (
    (errors.PoolMissing, Code.UNAVAILABLE),
    (errors.Missing, Code.NOT_FOUND),
    (errors.Different, Code.ALREADY_EXISTS),
    (errors.TooSmall, Code.OUT_OF_RANGE),
    (errors.TooLarge, Code.OUT_OF_RANGE),
    (errors.Changed, Code.ABORTED),
    (errors.Cancelled, Code.ABORTED),
    (errors.InUse, Code.FAILED_PRECONDITION),
    (errors.Unsupported, Code.FAILED_PRECONDITION),
    (ValueError, Code.INVALID_ARGUMENT),
)
_BY_NUMBER: Final = {
    errno.ENOSPC: Code.RESOURCE_EXHAUSTED,
    errno.EDQUOT: Code.RESOURCE_EXHAUSTED,
    errno.EROFS: Code.UNAVAILABLE,
    errno.EIO: Code.UNAVAILABLE,
}


def code_of(error: Exception) -> Code:
    """The code of an error that `cdi.volumes` or the operating system raised."""
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    number = error.errno if isinstance(error, OSError) else None
    return _BY_NUMBER.get(number, Code.INTERNAL) if number is not None else Code.INTERNAL


def message_of(error: Exception) -> str:
    """What an error says to people, with the file it is about."""
    if not isinstance(error, OSError) or isinstance(error, errors.VolumeError):
        return str(error) or type(error).__name__
    about = f"{error.filename}: " if error.filename else ""
    return f"{about}{(error.strerror or str(error)).lower()}"
