"""
The types of Kubernetes' own API, read from the compact tables in `types/`.

Here: parsing a table and turning one type into an OpenAPI v3 schema (a dict whose nested types are
shared, not copied). Elsewhere: which kinds are served (`builtin`), documents for clients
(`openapi`).

A table starts with `# <component prefix>`. A block is a type name (with options), then one field a
line:

    <wire number> <field>[!] <type> [options]

- wire number: the field's number in Kubernetes' protobuf form; `7.1` is field 1 of the message that
  is embedded as field 7, `-` means that the field has no known protobuf form;
- `!`: the field is required;
- type: `string int32 int64 double bool bytes quantity time microtime int-or-string raw json object
  fields schema-or-bool schema-or-array schema-or-strings`, `[T]` a list, `{T}` a map of strings to
  T, or the name of a type, with its table in front when that is another one (`core/v1.Secret`);
- options: `map=k1,k2` / `set` / `atomic` (x-kubernetes-list-type), `atomic-map`
  (x-kubernetes-map-type),
  `patch=strategy[,strategy][:merge key]`, `enum=A|B`, `struct` (there even when it is empty: a Go
  struct that is no pointer), `omitzero` (a zero says nothing: a Go number that is no pointer).

Tables are read when one of their types is first asked for. An unknown type raises KeyError.
"""

from __future__ import annotations

import functools
import pathlib
from dataclasses import dataclass
from typing import Any

_TABLES = pathlib.Path(__file__).parent / "types"

STRUCT = "x-cdi-struct"
"""Marks a field that Kubernetes always has, if only empty: ownership of fields depends on it."""

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"

_LEAVES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"format": "quantity", _INT_OR_STRING: True},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "micro-time"},
    "int-or-string": {"format": "int-or-string", _INT_OR_STRING: True},
    "raw": {"type": "object", _PRESERVE: True},
    "object": {"type": "object", _PRESERVE: True},
    "fields": {"type": "object", _PRESERVE: True},
    "json": {_PRESERVE: True},
    "schema-or-bool": {_PRESERVE: True},
    "schema-or-array": {_PRESERVE: True},
    "schema-or-strings": {_PRESERVE: True},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a table. `wire` is the path of protobuf field numbers, empty without any."""

    name: str
    type: str
    required: bool
    wire: tuple[int, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """One block of a table."""

    table: str
    name: str
    atomic: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One file: its types, and the prefix of their names in OpenAPI documents."""

    prefix: str
    types: dict[str, Type]


class Schema(dict[str, Any]):
    """The schema of a named type; `component` is its name in OpenAPI documents."""

    component: str = ""


@functools.cache
def table(name: str) -> Table:
    """The table of one group and version, e.g. `core/v1` or `meta`."""
    text = (_TABLES / f"{name.replace('/', '-')}.txt").read_text(encoding="utf-8")
    prefix, *blocks = text.strip().split("\n\n")
    types = (_parse_type(name, block) for block in blocks)
    return Table(
        prefix.partition("\n")[0].removeprefix("# "), {found.name: found for found in types}
    )


def _parse_type(owner: str, block: str) -> Type:
    head, *lines = block.splitlines()
    name, *options = head.split()
    return Type(owner, name, "atomic-map" in options, tuple(_parse_field(line) for line in lines))


def _parse_field(line: str) -> Field:
    wire, name, kind, *options = line.split()
    path = () if wire == "-" else tuple(int(part) for part in wire.split("."))
    return Field(name.rstrip("!"), kind, name.endswith("!"), path, tuple(options))


def type_of(owner: str, name: str) -> Type:
    """The type called `name`, as written in table `owner`."""
    group, _, bare = name.rpartition(".")
    return table(group or owner).types[bare]


_UNDER_CONSTRUCTION: dict[tuple[str, str], Schema] = {}


@functools.cache
def schema_of(owner: str, name: str) -> Schema:
    """The OpenAPI v3 schema of a type. Shared between all users of the type: never change it."""
    found = type_of(owner, name)
    if (found.table, found.name) != (owner, name):
        return schema_of(found.table, found.name)
    schema = Schema(type="object")
    schema.component = f"{table(owner).prefix}.{name}"
    # Filled below, registered first: a type may contain itself (JSONSchemaProps does).
    _UNDER_CONSTRUCTION[owner, name] = schema
    schema["properties"] = {field.name: _field_schema(owner, field) for field in found.fields}
    if required := [field.name for field in found.fields if field.required]:
        schema["required"] = required
    if found.atomic:
        schema["x-kubernetes-map-type"] = "atomic"
    del _UNDER_CONSTRUCTION[owner, name]
    return schema


def _field_schema(owner: str, field: Field) -> dict[str, Any]:
    schema = _value_schema(owner, field.type)
    extensions = _extensions(field.options)
    if "enum" in extensions and schema.get("type") == "array":
        schema["items"] = {**schema["items"], "enum": extensions.pop("enum")}
    if not extensions:
        return schema
    if not isinstance(schema, Schema):
        return {**schema, **extensions}
    wrapped = Schema(schema)
    wrapped.component = schema.component
    wrapped.update(extensions)
    return wrapped


def _value_schema(owner: str, kind: str) -> dict[str, Any]:
    if kind.startswith("["):
        return {"type": "array", "items": _value_schema(owner, kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _value_schema(owner, kind[1:-1])}
    if leaf := _LEAVES.get(kind):
        return leaf
    found = type_of(owner, kind)
    key = (found.table, found.name)
    return _UNDER_CONSTRUCTION.get(key) or schema_of(*key)


def _extensions(options: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key in ("atomic", "set"):
            found["x-kubernetes-list-type"] = key
        elif key == "atomic-map":
            found["x-kubernetes-map-type"] = "atomic"
        elif key == "map":
            found["x-kubernetes-list-type"] = "map"
            found["x-kubernetes-list-map-keys"] = value.split(",")
        elif key == "struct":
            found[STRUCT] = True
        elif key == "enum":
            found["enum"] = value.split("|")
        elif key == "patch":
            strategy, _, merge_key = value.partition(":")
            if strategy:
                found["x-kubernetes-patch-strategy"] = strategy
            if merge_key:
                found["x-kubernetes-patch-merge-key"] = merge_key
        elif key != "omitzero":
            raise ValueError(f"unknown option {option!r} in a type table")
    return found
