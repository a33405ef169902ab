"""
What a rule answers: allowed, perhaps with a changed object and warnings, or denied and why.

A denial has Kubernetes' shape. `reject` is for what the user wrote (422, with a cause for each
field), `error` for what could not be judged (400). Fields are named as clients know them
(`spec.source.HTTP.url`), which is not always how they are written in a manifest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdi.web.admission.request import AdmissionRequest

Object = dict[str, Any]

INVALID: Final = "FieldValueInvalid"
DUPLICATE: Final = "FieldValueDuplicate"


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong with one field; the field may be empty."""

    message: str
    field: str
    reason: str = INVALID

    def as_document(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request. `object` is what to store instead, None for no change."""

    allowed: bool
    object: Object | None = None
    warnings: tuple[str, ...] = ()
    code: int = 200
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()

    def details_for(self, request: AdmissionRequest) -> Object:
        """Return `details` of a Status: the object that was refused, and what is wrong with it."""
        details: Object = {
            "name": request.name,
            "group": request.group,
            "kind": request.kind,
            "causes": [cause.as_document() for cause in self.causes],
        }
        return {key: value for key, value in details.items() if value}


class Denied(Exception):
    """A rule refuses the write. Servers turn this into a Status."""

    def __init__(self, decision: Decision, message: str, details: Object) -> None:
        super().__init__(message)
        self.decision = decision
        self.code = decision.code
        self.reason = decision.reason
        self.message = message
        self.details = details


def allow(*, warnings: Iterable[str] = ()) -> Decision:
    return Decision(allowed=True, warnings=tuple(warnings))


def allow_as(obj: Object, original: Object | None, *, warnings: Iterable[str] = ()) -> Decision:
    """Allow the write of `obj` instead of `original`."""
    return Decision(True, object=None if obj == original else obj, warnings=tuple(warnings))


def reject(causes: Sequence[Cause]) -> Decision:
    """Refuse what the user wrote. The message is every cause's, each after a space."""
    message = "".join(f" {cause.message}" for cause in causes)
    return Decision(False, code=422, reason="Invalid", message=message, causes=tuple(causes))


def error(message: str) -> Decision:
    """Refuse because the write cannot be judged, or has no fields to point at."""
    return Decision(False, code=400, reason="BadRequest", message=message)
