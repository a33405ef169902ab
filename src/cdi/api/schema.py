"""
OpenAPI v3 schemas from typed views, in the structural form that Kubernetes asks for.

A view's fields give names, types and what is required; `view.doc` gives descriptions and
everything else. Each call returns new dicts: nothing is shared, so the result prints without
anchors and may be changed.

The root of a kind says nothing about `metadata` but that it is an object: the API server knows it
by itself, and refuses definitions that describe it. Elsewhere metadata is written out.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Annotated, Any, get_args, get_origin

import msgspec

from cdi.api.core.metadata import ObjectMeta
from cdi.api.view import Object, View

_SCALARS: dict[Any, str] = {str: "string", bool: "boolean", int: "integer"}
_INT_OR_STRING = {int, str}


def schema_of(kind: type[View]) -> Object:
    """Return the schema of a view: an object with described properties."""
    return {key: _copied(value) for key, value in _schema_of_view(kind).items()}


def root_schema_of(kind: type[View]) -> Object:
    """Return the schema of an object of its own, described by the view's docstring."""
    schema = {"description": _sentence_of(kind), **schema_of(kind)}
    # Not even a description: whatever is said here but limits of names, a server refuses.
    schema["properties"] |= {"metadata": {"type": "object"}}
    return schema


@functools.cache
def _schema_of_view(kind: type[View]) -> Object:
    """Make the schema of a view once; most views are part of several kinds."""
    schema: Object = {"type": "object", **getattr(kind, "SCHEMA", {})}
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: field.encode_name)
    if fields:
        schema["properties"] = {
            field.encode_name: _schema_of_type(hints[field.name]) for field in fields
        }
    if required := [field.encode_name for field in fields if field.required]:
        schema["required"] = required
    return schema


def _schema_of_type(hint: Any) -> Object:
    if get_origin(hint) is Annotated:
        inner, *metas = get_args(hint)
        schema = _schema_of_type(inner)
        for meta in metas:
            schema.update(meta.extra_json_schema or {})
        return schema
    if hint is Any:
        return {"x-kubernetes-preserve-unknown-fields": True}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if get_origin(hint) in {typing.Union, types.UnionType}:
        return _schema_of_union(get_args(hint))
    if get_origin(hint) is list:
        return {"type": "array", "items": _schema_of_type(get_args(hint)[0])}
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _schema_of_type(get_args(hint)[1])}
    if hint is ObjectMeta:
        return {"type": "object"}
    if isinstance(hint, type) and issubclass(hint, View):
        return {"description": _sentence_of(hint), **_schema_of_view(hint)}
    raise TypeError(f"no schema for {hint!r}")


def _schema_of_union(members: tuple[Any, ...]) -> Object:
    """Return the schema of an optional value, or of a number that may be written as text."""
    given = [member for member in members if member is not types.NoneType]
    if set(given) == _INT_OR_STRING:
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
        }
    if len(given) != 1:
        raise TypeError(f"no schema for a choice between {given!r}")
    return _schema_of_type(given[0])


def _sentence_of(kind: type[View]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _copied(value: Any) -> Any:
    """Return `value` with its own dicts and lists all the way down."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
