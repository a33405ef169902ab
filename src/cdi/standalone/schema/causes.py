"""
What is wrong with one field, in Kubernetes' words.

A FieldError becomes one entry of `details.causes` in a Status, and a part of its message. The words
are API: clients and users match them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """`type` is the cause's reason (FieldValueInvalid, ...); `str()` is how a Status tells it."""

    type: str
    field: str
    value: Any
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(
        "FieldValueInvalid", field, value, f"Invalid value: {_shown(value)}: {detail}"
    )


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    message = f"Invalid value: {_shown(value)}: {detail}"
    return FieldError("FieldValueTypeInvalid", field, value, message)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "", _joined("Required value", detail))


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, "", _joined("Forbidden", detail))


def unsupported(field: str, value: Any, supported: Iterable[Any]) -> FieldError:
    """`supported` as it is to be shown: sorted for built-in kinds, as declared for custom ones."""
    values = ", ".join(_shown(each) for each in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {values}"
    return FieldError("FieldValueNotSupported", field, value, message)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, value, f"Duplicate value: {_shown(value)}")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", field, value, f"Not found: {_shown(value)}")


def too_long(field: str, value: Any, limit: int) -> FieldError:
    message = f"Too long: may not be more than {limit} bytes"
    return FieldError("FieldValueTooLong", field, value, message)


def too_many(field: str, count: int, limit: int) -> FieldError:
    message = f"Too many: {count}: must have at most {limit} items"
    return FieldError("FieldValueTooMany", field, count, message)


def _joined(head: str, detail: str) -> str:
    return f"{head}: {detail}" if detail else head


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
