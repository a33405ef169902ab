"""Refusals in Kubernetes' shape: an exception that says what goes into a Status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


class Refused(Exception):
    """A request ends with this Status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def body(self) -> Object:
        """The Status."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return status


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def unauthorized(message: str) -> Refused:
    """Nobody knows who asks."""
    return Refused(401, "Unauthorized", message)


def forbidden(message: str) -> Refused:
    return Refused(403, "Forbidden", message)


def not_found() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> Refused:
    return Refused(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )


def not_acceptable() -> Refused:
    return Refused(
        406, "NotAcceptable", "only the following media types are accepted: application/json"
    )


def too_slow() -> Refused:
    return Refused(408, "Timeout", "the body of the request did not arrive in time")


def too_large(limit: int) -> Refused:
    """`limit` is in bytes."""
    return Refused(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type() -> Refused:
    return Refused(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json",
    )


def invalid(group: str, kind: str, name: str, causes: Sequence[Object]) -> Refused:
    """The object breaks rules; a cause has `reason`, `message` and `field`."""
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {"name": name, "group": group, "kind": kind, "causes": list(causes)}
    return Refused(
        422,
        "Invalid",
        f'{kind}.{group} "{name}" is invalid: {joined}',
        {key: value for key, value in details.items() if value},
    )


def internal(message: str) -> Refused:
    return Refused(500, "InternalError", f"Internal error occurred: {message}")


def unavailable(message: str) -> Refused:
    return Refused(503, "ServiceUnavailable", message)
