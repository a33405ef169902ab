"""
Defaults that a schema declares (custom kinds), filled in as Kubernetes does.

A null in a field that is not nullable counts as absent. A default fills an absent field, also
inside list items and map values, and is always a copy. Defaults of built-in kinds:
`builtin_defaults`.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from cdi.standalone.schema import pruning


def apply(schema: dict[str, Any], value: Any) -> None:
    """Drop nulls and fill in defaults, in place."""
    if isinstance(value, dict):
        _into_object(schema, value)
    elif isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for each in value:
                apply(items, each)


def _into_object(schema: dict[str, Any], value: dict[str, Any]) -> None:
    properties = schema.get("properties", {})
    for name, field in properties.items():
        if name in value and value[name] is None and not field.get("nullable"):
            del value[name]
        if name not in value and "default" in field:
            value[name] = copy.deepcopy(field["default"])
        if name in value:
            apply(field, value[name])
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key, each in value.items():
            if key not in properties:
                apply(others, each)


_ZEROS: Final = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def _zero(schema: dict[str, Any]) -> Any:
    made = _ZEROS.get(schema.get("type", ""))
    return made() if made else None


def drop_nulls(schema: dict[str, Any], value: Any) -> None:
    """Drop nulls in place, as reading into one of Kubernetes' own types does.

    A null in a list leaves what such an item is without a word: empty, or zero.
    """
    if isinstance(value, list):
        items = schema.get("items", {})
        value[:] = [_zero(items) if each is None else each for each in value]
        for each in value:
            drop_nulls(items, each)
    if not isinstance(value, dict) or schema.get(pruning.PRESERVE):
        return
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    for name in [name for name, each in value.items() if each is None]:
        del value[name]
    for name, each in value.items():
        drop_nulls(properties.get(name, others), each)
    if getattr(schema, "component", "").endswith(".JSONSchemaProps"):
        # Schemas within a user's schema, which may stand in for something simpler.
        for name in ("items", "additionalItems", "additionalProperties"):
            drop_nulls(
                {"items": schema} if isinstance(value.get(name), list) else schema, value.get(name)
            )
