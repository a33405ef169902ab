"""
Why a call to the API server failed: one family, translated at one border.

An answer that is an error becomes an ApiError with the code, reason, message and details of the
server's Status; the most specific class wins, by reason first, then by code. What never became
an answer is a ConnectionFailed, with the original kept as the cause.

    KubeError
    |-- ConfigurationError                 no server, or no usable credentials, known
    |-- ConnectionFailed                   no answer
    |   |-- ConnectFailed                  the request never left
    |   |-- ConnectionBroken               lost on the way: it may or may not have been carried out
    |   `-- TimedOut                       too slow: likewise
    |-- LeadershipLost                     somebody else may be leading now
    `-- ApiError                           the server said no
        |-- BadRequest, Invalid, MethodNotAllowed, Unsupported      ours to mend
        |-- Unauthorized, Forbidden        credentials or permissions
        |-- NotFound, AlreadyExists, Conflict, Expired              state has moved on
        `-- TooManyRequests, InternalError, Unavailable, ServerTimeout   the server's trouble

`transient` tells whether the same request may succeed later without anybody's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class KubeError(Exception):
    """Something about Kubernetes failed."""

    transient = False


class ConfigurationError(KubeError):
    """No API server is configured, or its configuration cannot be used."""


class ConnectionFailed(KubeError):
    """There was no complete answer."""

    transient = True


class ConnectFailed(ConnectionFailed):
    """No connection came about, so the server has not seen the request."""


class ConnectionBroken(ConnectionFailed):
    """The connection was lost; the server may have carried out the request."""


class TimedOut(ConnectionFailed):
    """No answer in time; the server may still carry out the request."""


class LeadershipLost(KubeError):
    """The lease could not be renewed in time, so another candidate may lead by now."""


class ApiError(KubeError):
    """The server answered with a Status that is a failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or reason or f"HTTP {code}")
        self.code = code
        self.reason = reason
        self.message = message
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after  # seconds, the server's own wish, where it stated one

    def __str__(self) -> str:
        return f"{self.message or 'no message'} ({self.code} {self.reason})".strip()

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The single complaints of an Invalid answer: field, reason, message."""
        return list(self.details.get("causes") or [])

    @property
    def namespace_is_ending(self) -> bool:
        """Whether nothing can be created because the namespace is being deleted."""
        return any(cause.get("reason") == "NamespaceTerminating" for cause in self.causes)


class BadRequest(ApiError):
    """The request cannot be understood."""


class Unauthorized(ApiError):
    """The server does not know who is asking; another token may help, so it is worth retrying."""

    transient = True


class Forbidden(ApiError):
    """The server knows who is asking and refuses."""


class NotFound(ApiError):
    """No such object, or no such kind."""


class MethodNotAllowed(ApiError):
    """The kind does not support this verb."""


class Conflict(ApiError):
    """The object has changed since it was read, or another field manager owns the field."""

    transient = True


class AlreadyExists(ApiError):
    """An object of that name exists."""


class Expired(ApiError):
    """The resourceVersion or continue token is too old: list again."""

    transient = True


class Unsupported(ApiError):
    """The server does not take, or cannot give, this media type."""


class Invalid(ApiError):
    """The object breaks a rule; `causes` lists which."""


class TooManyRequests(ApiError):
    """The server asks to be left alone for a while."""

    transient = True


class InternalError(ApiError):
    """The server failed."""

    transient = True


class Unavailable(ApiError):
    """The server, or a part of it, is not ready."""

    transient = True


class ServerTimeout(ApiError):
    """The server gave up waiting; the request may have been carried out."""

    transient = True


_BY_REASON: Mapping[str, type[ApiError]] = {
    "BadRequest": BadRequest,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "NotFound": NotFound,
    "MethodNotAllowed": MethodNotAllowed,
    "Conflict": Conflict,
    "AlreadyExists": AlreadyExists,
    "Gone": Expired,
    "Expired": Expired,
    "NotAcceptable": Unsupported,
    "UnsupportedMediaType": Unsupported,
    "Invalid": Invalid,
    "TooManyRequests": TooManyRequests,
    "InternalError": InternalError,
    "ServiceUnavailable": Unavailable,
    "ServerTimeout": ServerTimeout,
    "Timeout": ServerTimeout,
}

_BY_CODE: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: Unsupported,
    409: Conflict,
    410: Expired,
    415: Unsupported,
    422: Invalid,
    429: TooManyRequests,
    500: InternalError,
    502: Unavailable,
    503: Unavailable,
    504: ServerTimeout,
}

# A proxy's error page is of no use beyond its first words.
_LONGEST_TEXT = 500


def from_status(
    status: Mapping[str, Any], code: int = 0, retry_after: float | None = None
) -> ApiError:
    """The error that a Status object speaks of; `code` is the HTTP status, if there was one."""
    code = int(status.get("code") or code or 500)
    reason = str(status.get("reason") or "")
    details = status.get("details") or {}
    if retry_after is None and details.get("retryAfterSeconds"):
        retry_after = float(details["retryAfterSeconds"])
    fallback = InternalError if code >= 500 else ApiError
    cls = _BY_REASON.get(reason) or _BY_CODE.get(code, fallback)
    return cls(code, reason, str(status.get("message") or ""), details, retry_after)


def from_answer(code: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """The error that an HTTP answer speaks of, whether or not its body is a Status."""
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    try:
        status = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return from_status(status, code, seconds)
    text = body[:_LONGEST_TEXT].decode("utf-8", "replace").strip()
    return from_status({"message": text}, code, seconds)
