"""
Errors in Kubernetes' shape: a Status object with code, reason, message and details.

Here: the exception that every handler raises, and one constructor per reason, with the messages
that clients match on. Elsewhere: how it is put on the wire (`rest`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from cdi.standalone.schema import causes
from cdi.standalone.schema.admit import FieldError
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]


class ApiError(Exception):
    """The request ends with this Status."""

    def __init__(
        self, code: int, reason: str, message: str, details: Document | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Document:
        """The Status object."""
        status: Document = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details is not None:
            # Empty ones count: clients look into `details` without asking whether they are there.
            status["details"] = self.details
        if not self.reason:
            del status["reason"]
        return status


def success(details: Document) -> Document:
    """The Status that answers a finished deletion."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def qualified(plural: str, group: str) -> str:
    """A resource as messages name it: datavolumes.cdi.kubevirt.io, configmaps."""
    return f"{plural}.{group}" if group else plural


def details_of(kind: KindInfo, name: str, **more: object) -> Document:
    """The `details` that point to one object."""
    details: Document = {"name": name, "group": kind.group, "kind": kind.plural, **more}
    return {key: value for key, value in details.items() if value}


def not_found(kind: KindInfo, name: str) -> ApiError:
    """There is no such object."""
    message = f'{qualified(kind.plural, kind.group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details_of(kind, name))


def no_such_path() -> ApiError:
    """There is nothing at this address."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


class NoPage(ApiError):
    """There is nothing at this address, nor anybody who would know a Status."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found\n")


def already_exists(kind: KindInfo, name: str) -> ApiError:
    """Somebody was first."""
    message = f'{qualified(kind.plural, kind.group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details_of(kind, name))


def conflict(kind: KindInfo, name: str, cause: str = "") -> ApiError:
    """The object is not as the request assumes."""
    cause = cause or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    message = (
        f'Operation cannot be fulfilled on {qualified(kind.plural, kind.group)} "{name}": {cause}'
    )
    return ApiError(409, "Conflict", message, details_of(kind, name))


def apply_conflict(message: str, errors: Sequence[FieldError]) -> ApiError:
    """Server-side apply met fields that somebody else owns."""
    return ApiError(409, "Conflict", message, {"causes": _causes(errors)})


def forbidden(kind: KindInfo, name: str, why: str, told: Sequence[Document] = ()) -> ApiError:
    """A rule of the server forbids it."""
    shown = f' "{name}"' if name else ""
    message = f"{qualified(kind.plural, kind.group)}{shown} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, details_of(kind, name, causes=list(told)))


def invalid(kind: KindInfo, name: str, errors: Sequence[FieldError]) -> ApiError:
    """The object breaks rules of its schema."""
    texts = [str(error) for error in errors]
    texts = list(dict.fromkeys(texts))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{qualified(kind.kind, kind.group)} "{name}" is invalid: {joined}'
    details = {"name": name, "group": kind.group, "kind": kind.kind, "causes": _causes(errors)}
    return ApiError(
        422, "Invalid", message, {key: value for key, value in details.items() if value}
    )


def _causes(errors: Iterable[FieldError]) -> list[Document]:
    return [
        {"reason": error.type, "message": error.message, "field": error.field} for error in errors
    ]


def bad_request(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(400, "BadRequest", message)


def unreadable(kind: KindInfo, problem: str) -> ApiError:
    """The body is no object of the kind."""
    return bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problem}'
    )


def invalid_patch(shown: str, problem: str) -> ApiError:
    """Nobody can read what a patch leaves; `shown` is it, or as much as a message bears."""
    wrong = causes.invalid("patch", shown, problem)
    return ApiError(422, "Invalid", f' "" is invalid: {wrong}', {"causes": _causes([wrong])})


def invalid_options(what: str, *errors: FieldError) -> ApiError:
    """The parameters of a request make no sense; `what` is ListOptions, PatchOptions, ..."""
    texts = [str(error) for error in errors]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {"group": "meta.k8s.io", "kind": what, "causes": _causes(errors)}
    return ApiError(422, "Invalid", f'{what}.meta.k8s.io "" is invalid: {joined}', details)


def unauthorized() -> ApiError:
    """Nobody knows who asks."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    """The address exists, the verb does not."""
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


_FORMS = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


def not_acceptable() -> ApiError:
    """None of the media types of the Accept header can be served."""
    return ApiError(
        406,
        "NotAcceptable",
        f"only the following media types are accepted: {_FORMS}",
    )


def no_representation() -> ApiError:
    """The same, where it is seen before it is known what is asked for."""
    message = f"406: Not Acceptable\n\nAvailable representations: {_FORMS}"
    return ApiError(406, "NotAcceptable", message)


def unsupported_media_type(known: Iterable[str]) -> ApiError:
    """The body is in a form that nobody reads."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(known)}",
    )


def unknown_patch() -> ApiError:
    """The patch of a built-in kind is in a form that nobody reads."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type")


def expired(message: str) -> ApiError:
    """The revision has been compacted: list again."""
    return ApiError(410, "Expired", message)


def too_large_revision(message: str) -> ApiError:
    """The revision lies in the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", f"Timeout: {message}", details)


def internal(message: str) -> ApiError:
    """The server failed."""
    return ApiError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )
