"""
What a sender is told: a status, and a JSON object with a `reason` for programs and a `message`.

Reasons of a failed upload are those of `images.errors`, which docs/reasons.md lists; the others
are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cdi.images import errors
from cdi.workers import ending

BUSY: Final = "UploadInProgress"
DONE: Final = "AlreadyUploaded"
UNAUTHORIZED: Final = "Unauthorized"
NOT_FOUND: Final = "NotFound"
NO_FORM: Final = "NotAForm"
TAKEN_OVER: Final = "TakenOver"
MAKING_WAY: Final = "ServerMakesWay"

FAILED: Final = "Saving stream failed: "  # how clients know it

RETRY_AFTER: Final = 2  # seconds; how soon another server may be there


class Refused(Exception):
    """A request is not carried out."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.retry_after = status, reason, retry_after
        self._headers = headers

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer."""
        wait = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**self._headers, **wait}

    @property
    def body(self) -> dict[str, str]:
        """The JSON object of the answer."""
        return {"reason": self.reason, "message": str(self)}


def refusal_of(error: BaseException) -> Refused:
    """What the sender of an upload is told that failed."""
    if isinstance(error, Refused):
        return error
    if not isinstance(error, errors.TransferError):
        text = f"{FAILED}{type(error).__name__}: {error}"
        return Refused(500, ending.UNEXPECTED, text)
    text = " ".join(str(error).split())
    wait = None if error.kind is errors.Kind.PERMANENT else RETRY_AFTER
    return Refused(status_of(error), error.reason, FAILED + text, retry_after=wait)


def status_of(error: errors.TransferError) -> int:
    """400: the bytes will not do. 413, 507: there is no room. 409, 5xx: another time they may."""
    match error:
        case errors.TooSmall():
            return 413
        case errors.NoSpace():
            return 507
        case errors.NeedsScratch():
            return 409
        case errors.ContentError() | errors.InvalidRequest():
            return 400
        case errors.ConnectionLost() | errors.Stalled():
            return 408
        case errors.Cancelled() | errors.SourceUnavailable():
            return 503
        case _:
            return 500
