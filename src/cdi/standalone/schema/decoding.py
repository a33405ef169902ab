"""
Whether a built-in object's values have the types of its fields.

For a built-in kind a wrong type is no validation error (422): the body cannot be read at all (400).
The first problem is told, in the words of Kubernetes' JSON decoder.
"""

from __future__ import annotations

from typing import Any

from cdi.standalone.schema import definitions, formats, paths
from cdi.standalone.schema.quantities import InvalidQuantity, parse_quantity
from cdi.standalone.schema.structural import type_name

_GO_TYPES = {
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("number", "double"): "float64",
    ("boolean", None): "bool",
    ("string", None): "string",
}
_DEFINITION = "JSONSchemaProps"
_GO_NAMES = {"boolean": "bool", "integer": "number"}


def problem(schema: dict[str, Any], obj: dict[str, Any]) -> str | None:
    """What the decoder would say, without the sentence in front; None when all is well."""
    return _in_value(schema, obj, "", getattr(schema, "component", "").rpartition(".")[2])


def metadata_problem(metadata: Any) -> str | None:
    """The same of the metadata of a user's kind, of which nothing else is decoded."""
    schema = definitions.schema_of("meta", "ObjectMeta")
    if metadata is None or isinstance(metadata, dict):
        return problem(schema, metadata or {})
    return f"json: cannot unmarshal {go_name(metadata)} into Go value of type v1.ObjectMeta"


def go_name(value: Any) -> str:
    """What the decoder calls a value of JSON."""
    return _GO_NAMES.get(type_name(value), type_name(value))


def _in_value(schema: dict[str, Any], value: Any, path: str, owner: str) -> str | None:
    if value is None:
        return None
    if schema.get("format") in _SPECIAL:
        return _SPECIAL[schema["format"]](value)
    kind = schema.get("type")
    if kind is None:
        return None
    if kind == "object":
        return _in_object(schema, value, path, owner)
    if kind == "array":
        return _in_list(schema, value, path, owner)
    return None if _fits(kind, value) else _mismatch(schema, value, path, owner)


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, str):
        return kind == "string"
    if isinstance(value, int):
        return kind in ("integer", "number")
    return isinstance(value, float) and (
        kind == "number" or (kind == "integer" and value.is_integer())
    )


def _mismatch(schema: dict[str, Any], value: Any, path: str, owner: str) -> str:
    found = go_name(value)
    wanted = _go_type(schema)
    if isinstance(value, float):
        found = f"number {value}"
    return f"json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"


def _go_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(schema, definitions.Schema):
        package, _, name = schema.component.rpartition(".")
        return f"{package.rpartition('.')[2]}.{name}"
    if kind == "array":
        return f"[]{_go_type(schema.get('items', {}))}"
    if kind == "object":
        others = schema.get("additionalProperties")
        return (
            f"map[string]{_go_type(others)}"
            if isinstance(others, dict)
            else "map[string]interface {}"
        )
    found = _GO_TYPES.get((str(kind), schema.get("format")))
    return found or _GO_TYPES.get((str(kind), None), "string")


def _in_object(schema: dict[str, Any], value: Any, path: str, owner: str) -> str | None:
    if not isinstance(value, dict):
        return _mismatch(schema, value, path, owner)
    name = getattr(schema, "component", "").rpartition(".")[2] or owner
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for key, each in value.items():
        field = properties.get(key, others)
        if isinstance(field, dict):
            # Nor does the decoder name the keys of maps.
            below = paths.child(path, key) if key in properties else path
            found = _in_value(field, each, below, name)
            if found:
                return found
    return _in_definition(schema, value, path) if name == _DEFINITION else None


def _in_definition(schema: dict[str, Any], value: dict[str, Any], path: str) -> str | None:
    """The schemas within a user's schema, which may stand in for something simpler."""
    for key in ("items", "additionalItems", "additionalProperties"):
        below = value.get(key)
        for each in below if isinstance(below, list) else [below]:
            if isinstance(each, dict):
                found = _in_value(schema, each, paths.child(path, key), _DEFINITION)
                if found:
                    return found
    return None


def _in_list(schema: dict[str, Any], value: Any, path: str, owner: str) -> str | None:
    if not isinstance(value, list):
        return _mismatch(schema, value, path, owner)
    for each in value:
        # The decoder does not number list items.
        if found := _in_value(schema["items"], each, path, owner):
            return found
    return None


def _quantity(value: Any) -> str | None:
    try:
        parse_quantity(value)
    except InvalidQuantity:
        return (
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return None


def _int_or_string(value: Any) -> str | None:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return None
    return f"json: cannot unmarshal {go_name(value)} into Go value of type int32"


def _instant(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {go_name(value)} into Go value of type string"
    if formats.fits("date-time", value):
        return None
    return (
        f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
    )


def _base64(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"json: cannot unmarshal {go_name(value)} into Go value of type []uint8"
    return None if formats.fits("byte", value) else "illegal base64 data at input byte 0"


_SPECIAL = {
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "date-time": _instant,
    "micro-time": _instant,
    "byte": _base64,
}
