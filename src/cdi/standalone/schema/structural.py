"""
Validation of a custom object against its structural schema, in Kubernetes' words.

Here: types, bounds, patterns, formats, enums, list types, combinations. Elsewhere: CEL rules
(`cel_rules`), metadata (`object_meta`). The same walk serves the branches of allOf, anyOf, oneOf,
not.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from cdi.standalone.schema import causes, formats, paths
from cdi.standalone.schema.causes import FieldError

INT_OR_STRING = "x-kubernetes-int-or-string"

Schema = dict[str, Any]


def validate(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Every objection to `value`, in the order of the document."""
    return list(_check(schema, value, path))


def _check(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    if value is None and schema.get("nullable"):
        return
    wrong = _type_error(schema, value, path)
    if wrong is not None:
        yield wrong
        return
    yield from _check_enum(schema, value, path)
    if isinstance(value, str):
        yield from _check_text(schema, value, path)
    elif isinstance(value, dict):
        yield from _check_object(schema, value, path)
    elif isinstance(value, list):
        yield from _check_list(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(schema, value, path)
    yield from _check_combinations(schema, value, path)


def type_name(value: Any) -> str:
    """The JSON type of a value, as Kubernetes names it in messages."""
    if value is None:
        return "null"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "object"


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
)


def _fits(kind: str, value: Any) -> bool:
    name = type_name(value)
    if kind == "number":
        return name in ("integer", "number")
    if kind == "integer":
        return name == "integer" or (isinstance(value, float) and value.is_integer())
    return name == kind


def _type_error(schema: Schema, value: Any, path: str) -> FieldError | None:
    kinds = ["integer", "string"] if schema.get(INT_OR_STRING) else [schema.get("type", "")]
    if kinds == [""]:
        return None
    wanted = ",".join(kinds)
    if any(_fits(kind, value) for kind in kinds):
        return None
    found = type_name(value)
    detail = f'{_in_body(path)} must be of type {wanted}: "{found}"'
    return causes.type_invalid(path or "<nil>", found, detail)


def _in_body(path: str) -> str:
    return f"{path} in body"


def _check_enum(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed is not None and not any(same(value, each) for each in allowed):
        yield causes.unsupported(path, value, allowed)


def same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _check_text(schema: Schema, value: str, path: str) -> Iterator[FieldError]:
    where = _in_body(path)
    if len(value) > schema.get("maxLength", math.inf):
        yield causes.too_long(path, value, schema["maxLength"])
    if len(value) < schema.get("minLength", 0):
        detail = f"{where} should be at least {schema['minLength']} chars long"
        yield causes.invalid(path, value, detail)
    pattern = schema.get("pattern")
    if pattern is not None and not formats.matches(pattern, value):
        yield causes.invalid(path, value, f"{where} should match '{pattern}'")
    name = schema.get("format")
    if name is not None and not formats.fits(name, value):
        detail = f"{where} must be of type {name}: {json.dumps(value)}"
        yield causes.invalid(path, value, detail)


def _check_number(schema: Schema, value: float, path: str) -> Iterator[FieldError]:
    where = _in_body(path)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield causes.invalid(path, value, f"{where} should be {word} {_number(low)}")
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield causes.invalid(path, value, f"{where} should be {word} {_number(high)}")
    step = schema.get("multipleOf")
    if step and not math.isclose(value / step, round(value / step), abs_tol=1e-9):
        yield causes.invalid(path, value, f"{where} should be a multiple of {_number(step)}")
    name = schema.get("format")
    limit = {"int32": 2**31, "int64": 2**63}.get(name or "")
    if limit and not -limit <= value < limit:
        detail = f"{where} must be of type {name}: {_number(value)}"
        yield causes.invalid(path, value, detail)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)


def _check_object(schema: Schema, value: dict[str, Any], path: str) -> Iterator[FieldError]:
    where = _in_body(path)
    properties: dict[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield causes.required(paths.child(path, name))
    if len(value) > schema.get("maxProperties", math.inf):
        yield causes.too_many(path, len(value), schema["maxProperties"])
    if len(value) < schema.get("minProperties", 0):
        detail = f"{where} should have at least {schema['minProperties']} properties"
        yield causes.invalid(path, value, detail)
    others = schema.get("additionalProperties")
    for name, each in value.items():
        if name in properties:
            yield from _check(properties[name], each, paths.child(path, name))
        elif isinstance(others, dict):
            yield from _check(others, each, paths.child(path, name))


def _check_list(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxItems", math.inf):
        yield causes.too_many(path, len(value), schema["maxItems"])
    if len(value) < schema.get("minItems", 0):
        detail = f"{_in_body(path)} should have at least {schema['minItems']} items"
        yield causes.invalid(path, value, detail)
    if schema.get("uniqueItems") and len({_key(each) for each in value}) < len(value):
        detail = f"{_in_body(path)} shouldn't contain duplicates"
        yield causes.invalid(path, value, detail)
    items = schema.get("items")
    for index, each in enumerate(value):
        if isinstance(items, dict):
            yield from _check(items, each, paths.item(path, index))
    yield from _check_list_type(schema, value, path)


def _check_list_type(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    defaults = schema.get("items", {}).get("properties", {})
    seen: set[str] = set()
    for index, each in enumerate(value):
        shown = each
        if kind == "map":
            if not isinstance(each, dict):
                continue
            keys = schema.get("x-kubernetes-list-map-keys", ())
            shown = {k: each.get(k, defaults.get(k, {}).get("default")) for k in keys}
        if (key := _key(shown)) in seen:
            yield causes.duplicate(paths.item(path, index), shown)
        seen.add(key)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _check_combinations(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    for branch in schema.get("allOf", ()):
        yield from _check(branch, value, path)
    for word, sentence, good in _COMBINATIONS:
        if branches := schema.get(word):
            matching = sum(not validate(branch, value, path) for branch in branches)
            if not good(matching):
                found = (
                    "Found none valid" if not matching else f"Found {matching} valid alternatives"
                )
                detail = f'"{path}" must validate {sentence} ({word}). {found}'
                yield causes.invalid(path or "<nil>", "", detail)
    if "not" in schema and not validate(schema["not"], value, path):
        yield causes.invalid(path or "<nil>", "", f'"{path}" must not validate the schema (not)')


_COMBINATIONS: tuple[tuple[str, str, Callable[[int], bool]], ...] = (
    ("anyOf", "at least one schema", lambda matching: matching > 0),
    ("oneOf", "one and only one schema", lambda matching: matching == 1),
)


def pattern_problem(pattern: str) -> str:
    """Why a schema's pattern is no regular expression; empty when it is one."""
    try:
        formats.compiled(pattern)
    except re.error as error:
        return str(error)
    return ""
