"""
Strategic merge patches: kubectl's way of changing built-in kinds.

A patch is laid over an object like a merge patch, but lists that have a merge key in the schema are
merged item by item, and directives inside the patch say otherwise: `$patch: delete|replace|merge`,
`$retainKeys`, `$deleteFromPrimitiveList/<list>`, `$setElementOrder/<list>`. Raises InvalidPatch for
nonsense. Arguments stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any

Schema = dict[str, Any]
Object = dict[str, Any]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PRIMITIVE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"

_NO_SCHEMA: Schema = {}


class InvalidPatch(ValueError):
    """The patch cannot be applied to anything."""


def merge(schema: Schema, current: Object, patch: Any) -> Object:
    """`current`, of the kind that `schema` describes, with the patch applied."""
    if not isinstance(patch, dict):
        raise InvalidPatch("a strategic merge patch must be an object")
    return _merge_object(schema, current, patch)


def _merge_object(schema: Schema, current: Object, patch: Object) -> Object:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: _cleaned(value) for key, value in patch.items() if not key.startswith("$")}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise InvalidPatch(f"unknown patch type found: {directive}")
    merged = dict(current)
    if (retained := patch.get(_RETAIN)) is not None:
        if not isinstance(retained, list):
            raise InvalidPatch("$retainKeys must be a list of field names")
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(schema, merged, key, value)
    for key, value in patch.items():
        if key.startswith((_DELETE_PRIMITIVE, _ORDER)):
            _apply_list_directive(schema, merged, key, value)
        elif key.startswith("$") and key not in (_DIRECTIVE, _RETAIN):
            raise InvalidPatch(f"unknown directive {key}")
    return merged


def _merge_field(schema: Schema, merged: Object, key: str, value: Any) -> None:
    if value is None:
        merged.pop(key, None)
        return
    field = _field(schema, key)
    before = merged.get(key)
    if isinstance(value, dict):
        is_gone = value.get(_DIRECTIVE) == "delete"
        if is_gone:
            merged.pop(key, None)
        else:
            merged[key] = _merge_object(field, before if isinstance(before, dict) else {}, value)
    elif isinstance(value, list) and _strategy(field) == "merge":
        merged[key] = _merge_list(field, before if isinstance(before, list) else [], value)
    else:
        merged[key] = _cleaned(value)


def _field(schema: Schema, key: str) -> Schema:
    found = schema.get("properties", _NO_SCHEMA).get(key, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else _NO_SCHEMA


def _strategy(field: Schema) -> str:
    words = field.get("x-kubernetes-patch-strategy", "replace").split(",")
    return "merge" if "merge" in words else "replace"


def _merge_list(field: Schema, current: list[Any], patch: list[Any]) -> list[Any]:
    key = field.get("x-kubernetes-patch-merge-key")
    if key is None:
        return [*current, *(each for each in patch if each not in current)]
    if any(isinstance(each, dict) and _is_directive(each, "replace", key) for each in patch):
        return [_cleaned(each) for each in patch if not _is_directive(each, "replace", key)]
    items = field.get("items", _NO_SCHEMA)
    merged = list(current)
    for each in patch:
        _merge_item(items, merged, key, each)
    return merged


def _is_directive(item: Object, directive: str, key: str) -> bool:
    return item.get(_DIRECTIVE) == directive and key not in item


def _merge_item(items: Schema, merged: list[Any], key: str, patch: Any) -> None:
    if not isinstance(patch, dict):
        raise InvalidPatch("list items with a merge key must be objects")
    if key not in patch:
        raise InvalidPatch(f"map: {patch} does not contain declared merge key: {key}")
    places = [i for i, each in enumerate(merged) if each.get(key) == patch[key]]
    if patch.get(_DIRECTIVE) == "delete":
        merged[:] = [each for each in merged if each.get(key) != patch[key]]
    elif places:
        merged[places[0]] = _merge_object(items, merged[places[0]], patch)
    else:
        merged.append(_merge_object(items, {}, patch))


def _apply_list_directive(schema: Schema, merged: Object, directive: str, value: Any) -> None:
    word, _, name = directive.partition("/")
    if not isinstance(value, list):
        raise InvalidPatch(f"{word} must be a list")
    current = merged.get(name)
    if not isinstance(current, list):
        return
    if word == "$deleteFromPrimitiveList":
        merged[name] = [each for each in current if each not in value]
        return
    key = _field(schema, name).get("x-kubernetes-patch-merge-key")
    order = [each.get(key) if isinstance(each, dict) else each for each in value]
    merged[name] = _ordered(current, key, order)


def _ordered(current: list[Any], key: str | None, order: list[Any]) -> list[Any]:
    """Items that the order names, in that order; others stay behind the one they followed."""

    def key_of(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    named = sorted(
        (each for each in current if key_of(each) in order), key=lambda e: order.index(key_of(e))
    )
    rest = iter(named)
    return [next(rest) if key_of(each) in order else each for each in current]


def _cleaned(value: Any) -> Any:
    """A deep copy without directives and, in objects, without nulls."""
    if isinstance(value, dict):
        return {
            key: _cleaned(each)
            for key, each in value.items()
            if each is not None and not key.startswith("$")
        }
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return copy.deepcopy(value)
