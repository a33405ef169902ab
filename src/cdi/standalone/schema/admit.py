"""
What stands between a request's object and the store: unknown fields, defaults, validation.

The door to the modules that do it. Built-in kinds and custom ones go different ways here and
nowhere else. Objects are changed in place by `prune` and `default`; the rest only looks.
"""

from __future__ import annotations

from typing import Any

from cdi.standalone.schema import (
    builtin_defaults,
    builtin_rules,
    cel_rules,
    decoding,
    defaulting,
    definitions,
    object_meta,
    pruning,
    structural,
)
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.kinds import KindInfo

__all__ = [
    "FieldError",
    "decode_problem",
    "default",
    "metadata_problem",
    "prune",
    "unknown_fields",
    "validate",
]


def decode_problem(info: KindInfo, obj: dict[str, Any]) -> str | None:
    """Why the body of a built-in kind cannot be read (400, before anything else); None when it can.

    The server puts `<Kind> in version "<version>" cannot be handled as a <Kind>: ` in front.
    """
    return None if info.custom else decoding.problem(info.schema, obj)


def metadata_problem(info: KindInfo, obj: dict[str, Any]) -> str | None:
    """Why the metadata of a body cannot be read; None when it can."""
    metadata = obj.get("metadata")
    if info.custom:
        return decoding.metadata_problem(metadata)
    return decoding.problem(info.schema, {"metadata": metadata})


def unknown_fields(info: KindInfo, obj: dict[str, Any]) -> list[str]:
    """Paths of fields that the kind does not have: `spec.foo`, `spec.containers[0].bar`."""
    return pruning.unknown_fields(info.schema, obj)


def prune(info: KindInfo, obj: dict[str, Any]) -> None:
    """Drop the fields that the kind does not have."""
    pruning.prune(info.schema, obj)


def default(info: KindInfo, obj: dict[str, Any]) -> None:
    """Fill in what the user may leave out; what the user nulled is left out, too."""
    if info.custom:
        defaulting.drop_nulls(definitions.schema_of("meta", "ObjectMeta"), obj.get("metadata"))
        defaulting.apply(info.schema, obj)
    else:
        defaulting.drop_nulls(info.schema, obj)
        builtin_defaults.apply(info.kind, obj)


def validate(
    info: KindInfo, obj: dict[str, Any], old: dict[str, Any] | None, subresource: str = ""
) -> list[FieldError]:
    """Objections to a create (`old` is None) or an update; an empty list lets it through.

    For the `status` subresource the caller has already put the old spec in place.
    """
    found = object_meta.validate(info, obj)
    if old is not None:
        found += object_meta.validate_update(obj, old)
    if not info.custom:
        return found + builtin_rules.validate(info, obj, old, subresource)
    found += structural.validate(info.schema, obj)
    return found or cel_rules.validate(info.schema, obj, old)
