"""
Sets of field paths: what a manager owns.

A path is a tuple of elements as in FieldsV1: `f:name`, `k:{"name":"a"}`, `v:"x"`. A set is a
frozenset of paths; a container is a member only where Kubernetes counts it as one (new list items,
empty maps).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from cdi.standalone.schema.typed import (
    Schema,
    Shape,
    compact,
    element_of,
    field_schema,
    is_declared,
    item_schema,
    shape_of,
)

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: FieldSet = frozenset()


def set_of(schema: Schema, value: Any) -> FieldSet:
    """Everything that someone who states this value owns."""
    return frozenset(_paths(schema, value, ()))


def _paths(schema: Schema, value: Any, path: Path) -> Iterator[Path]:
    shape = shape_of(schema, value)
    if shape is Shape.LEAF:
        yield path
    elif shape is Shape.MAP:
        for name, each in value.items():
            below = (*path, f"f:{name}")
            yield from _paths(field_schema(schema, name), each, below)
            if each is None or each == {} or not is_declared(schema, name):
                yield below
    else:
        items = item_schema(schema)
        for each in value:
            below = (*path, element_of(schema, shape, each))
            yield from _paths(items, each, below)
            yield below


def parse_fields(fields: dict[str, Any]) -> FieldSet:
    """The set that a FieldsV1 document stands for."""
    return frozenset(_parse(fields, ()))


def _parse(fields: dict[str, Any], path: Path) -> Iterator[Path]:
    for element, below in fields.items():
        if element == ".":
            yield path
        elif not below:
            yield (*path, _normal(element))
        else:
            yield from _parse(below, (*path, _normal(element)))


def _normal(element: str) -> str:
    """Clients may write keys and values with other spaces or another order."""
    prefix, text = element[:2], element[2:]
    if prefix not in ("k:", "v:"):
        return element
    return prefix + compact(json.loads(text))


def fields_of(paths: FieldSet) -> dict[str, Any]:
    """The FieldsV1 document of a set."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    _mark_members(root, (), paths)
    return root


def _mark_members(node: dict[str, Any], path: Path, paths: FieldSet) -> None:
    for element, below in list(node.items()):
        if below:
            _mark_members(below, (*path, element), paths)
    if node and path in paths:
        inner = dict(node)
        node.clear()
        node["."] = {}
        node.update(inner)


def under(paths: Iterable[Path], roots: Iterable[Path]) -> FieldSet:
    """The paths that are one of the roots or below one."""
    wanted = frozenset(roots)
    depth = max(map(len, wanted), default=0)
    return frozenset(
        path
        for path in paths
        if any(path[:length] in wanted for length in range(1, min(len(path), depth) + 1))
    )


def prefixes(paths: Iterable[Path]) -> FieldSet:
    """The paths and everything that contains one of them."""
    return frozenset(path[:length] for path in paths for length in range(1, len(path) + 1))


def text_of(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="a"].image`."""
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    prefix, text = element[:2], element[2:]
    if prefix == "f:":
        return f".{text}"
    if prefix == "v:":
        return f"[={text}]"
    keys = json.loads(text)
    return "[" + ",".join(f"{key}={compact(value)}" for key, value in keys.items()) + "]"
