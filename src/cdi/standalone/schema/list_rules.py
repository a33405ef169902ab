"""
Whether a schema says of lists and maps what Kubernetes would accept: how they are merged.

Facts: apiextensions' validation of `x-kubernetes-list-type`, `-list-map-keys` and `-map-type`.
Elsewhere: all other words of schemas (`schema_rules`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi.standalone.schema import causes
from cdi.standalone.schema.causes import FieldError

Schema = dict[str, Any]

LIST_TYPE, LIST_KEYS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"


def check_maps(schema: Schema, path: str) -> Iterator[FieldError]:
    """Whether what is said of merging a map makes sense."""
    kind, form = schema.get("type", ""), schema.get(MAP_TYPE)
    if form is None:
        return
    if kind != "object":
        detail = f"must be object if {MAP_TYPE} is specified"
        where = f"{path}.type"
        yield causes.invalid(where, kind, detail) if kind else causes.required(where, detail)
    if form not in ("atomic", "granular"):
        yield causes.unsupported(f"{path}.{MAP_TYPE}", form, ("atomic", "granular"))


def check_lists(schema: Schema, path: str) -> Iterator[FieldError]:
    """Whether what is said of merging a list, and of its keys, makes sense."""
    kind, form = schema.get("type", ""), schema.get(LIST_TYPE)
    items = schema.get("items") if isinstance(schema.get("items"), dict) else None
    if form is not None and kind != "array":
        detail = f"must be array if {LIST_TYPE} is specified"
        where = f"{path}.type"
        yield causes.invalid(where, kind, detail) if kind else causes.required(where, detail)
    elif form == "set" and items is not None:
        yield from _check_set(items, f"{path}.items")
    if form not in (None, "atomic", "set", "map"):
        yield causes.unsupported(f"{path}.{LIST_TYPE}", form, ("atomic", "set", "map"))
    if schema.get(LIST_KEYS) and form != "map":
        detail = f"must be map if {LIST_KEYS} is non-empty"
        where = f"{path}.{LIST_TYPE}"
        yield (
            causes.required(where, detail) if form is None else causes.invalid(where, form, detail)
        )
    if form == "map":
        yield from _check_map_list(schema, items, path)
    if form in ("set", "map") and items is not None:
        yield from _check_keys(schema, items, path)


def _check_set(items: Schema, path: str) -> Iterator[FieldError]:
    """Items of a set are compared as a whole."""
    detail = f"must be atomic as item of a list with {LIST_TYPE}=set"
    if items.get("type") == "array" and items.get(LIST_TYPE, "atomic") != "atomic":
        yield causes.invalid(f"{path}.{LIST_TYPE}", items[LIST_TYPE], detail)
    if items.get("type") == "object" and items.get(MAP_TYPE) != "atomic":
        yield causes.invalid(f"{path}.{MAP_TYPE}", items.get(LIST_TYPE), detail)


def _check_map_list(schema: Schema, items: Schema | None, path: str) -> Iterator[FieldError]:
    keys = schema.get(LIST_KEYS) or []
    if not keys:
        detail = f"must not be empty if {LIST_TYPE} is map"
        yield causes.required(f"{path}.{LIST_KEYS}", detail)
    if items is None:
        detail = f"must have a schema if {LIST_TYPE} is map"
        yield causes.required(f"{path}.items", detail)
        return
    if items.get("type") != "object":
        detail = f"must be object if parent array's {LIST_TYPE} is map"
        yield causes.invalid(f"{path}.items.type", items.get("type", ""), detail)
        return
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            detail = "entries must all be names of item properties"
            yield causes.invalid(f"{path}.{LIST_KEYS}", keys, detail)
        elif properties[key].get("type") in ("array", "object"):
            detail = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield causes.invalid(f"{path}.items.properties[{key}].type", items["type"], detail)
        if key in keys[:index]:
            detail = "must not contain duplicate entries"
            yield causes.invalid(f"{path}.{LIST_KEYS}", keys, detail)


def _check_keys(schema: Schema, items: Schema, path: str) -> Iterator[FieldError]:
    form = schema[LIST_TYPE]
    if items.get("nullable"):
        detail = f"cannot be nullable when {LIST_TYPE} is {form}"
        yield causes.forbidden(f"{path}.items.nullable", detail)
    if form != "map":
        return
    properties, needed = items.get("properties") or {}, items.get("required") or ()
    for key in schema.get(LIST_KEYS) or ():
        field = properties.get(key)
        if field is None:
            continue
        where = f"{path}.items.properties[{key}]"
        if key not in needed and field.get("default") is None:
            detail = (
                f"this property is in {LIST_KEYS}, so it must have a default or be a required "
                "property"
            )
            yield causes.required(f"{where}.default", detail)
        if field.get("nullable"):
            detail = f"this property is in {LIST_KEYS}, so it cannot be nullable"
            yield causes.forbidden(f"{where}.nullable", detail)
