"""
How lists and maps of a schema merge: as one value (atomic), by key, or as a set.

Shared by everything that walks objects field by field for server-side apply.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

Schema = dict[str, Any]

_ANY: Schema = {}

# Keys that Kubernetes' own types default in list items; custom kinds state theirs in the schema.
_KEY_DEFAULTS = {"protocol": "TCP"}


class Shape(Enum):
    """How a value of a schema is owned: whole, or part by part."""

    LEAF = "leaf"
    MAP = "map"
    KEYED_LIST = "keyed list"
    SET = "set"


def shape_of(schema: Schema, value: Any) -> Shape:
    """The shape of a value; a value that does not fit the schema is a leaf."""
    if isinstance(value, dict):
        return Shape.LEAF if schema.get("x-kubernetes-map-type") == "atomic" else Shape.MAP
    if isinstance(value, list):
        kind = schema.get("x-kubernetes-list-type")
        if kind == "map" and all(isinstance(each, dict) for each in value):
            return Shape.KEYED_LIST
        return Shape.SET if kind == "set" else Shape.LEAF
    return Shape.LEAF


def field_schema(schema: Schema, name: str) -> Schema:
    """The schema of one entry of a map or object."""
    found = schema.get("properties", _ANY).get(name, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else _ANY


def item_schema(schema: Schema) -> Schema:
    found = schema.get("items")
    return found if isinstance(found, dict) else _ANY


def is_declared(schema: Schema, name: str) -> bool:
    """Whether the entry is a field of the type, not just a key of a map."""
    return name in schema.get("properties", _ANY)


def key_of(schema: Schema, item: dict[str, Any]) -> str:
    """The path element of a list item: `k:{"name":"a"}`."""
    properties = item_schema(schema).get("properties", _ANY)
    keys: dict[str, Any] = {}
    for name in schema.get("x-kubernetes-list-map-keys", ()):
        if name in item:
            keys[name] = item[name]
        elif "default" in properties.get(name, _ANY):
            keys[name] = properties[name]["default"]
        elif name in _KEY_DEFAULTS:
            keys[name] = _KEY_DEFAULTS[name]
    return "k:" + compact(keys)


def element_of(schema: Schema, shape: Shape, item: Any) -> str:
    """The path element of an item of a keyed list or set."""
    return key_of(schema, item) if shape is Shape.KEYED_LIST else "v:" + compact(item)


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
