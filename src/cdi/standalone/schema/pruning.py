"""
Fields that a kind's schema does not know: naming them, and dropping them.

Both walk object and schema side by side. Values whose type does not fit the schema are left alone:
that is validation's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import paths

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"

_RESOURCE_FIELDS = frozenset(("apiVersion", "kind", "metadata"))
_NOTHING: dict[str, Any] = {}


def unknown_fields(schema: dict[str, Any], obj: dict[str, Any]) -> list[str]:
    """Paths of unknown fields in the object's order; what is below an unknown one is not named."""
    return [path for path, _, _ in _unknown(schema, obj, "", root=True)]


def prune(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    """Drop every unknown field, in place."""
    for _, parent, key in list(_unknown(schema, obj, "", root=True)):
        del parent[key]


def _unknown(
    schema: dict[str, Any], value: Any, path: str, *, root: bool = False
) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(value, dict):
        yield from _unknown_in_object(schema, value, path, root=root)
    elif isinstance(value, list):
        items = schema.get("items", _NOTHING)
        for index, each in enumerate(value):
            if isinstance(each, dict | list):
                yield from _unknown(items, each, paths.item(path, index))


def _unknown_in_object(
    schema: dict[str, Any], value: dict[str, Any], path: str, *, root: bool
) -> Iterator[tuple[str, dict[str, Any], str]]:
    properties = schema.get("properties", _NOTHING)
    others = schema.get("additionalProperties")
    open_ended = bool(schema.get(PRESERVE)) or others is True
    resource = root or bool(schema.get(EMBEDDED))
    for key, each in value.items():
        if key in properties:
            yield from _unknown(properties[key], each, paths.child(path, key))
        elif isinstance(others, dict):
            yield from _unknown(others, each, paths.child(path, key))
        elif not open_ended and not (resource and key in _RESOURCE_FIELDS):
            yield paths.child(path, key), value, key
