"""
Two values of one schema, part by part: what differs, what both make together, what is left.

The rules of server-side apply. Nothing here changes its arguments; results may share parts with
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cdi.standalone.schema.definitions import STRUCT
from cdi.standalone.schema.fieldset import FieldSet, Path
from cdi.standalone.schema.typed import (
    Schema,
    Shape,
    element_of,
    field_schema,
    item_schema,
    shape_of,
)


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths that only the new value has, that differ, that only the old one has."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def taken(self) -> FieldSet:
        """What the one who made the change now owns."""
        return self.added | self.modified

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


def compare(schema: Schema, old: Any, new: Any) -> Difference:
    """What changed from `old` to `new`."""
    found: dict[str, set[Path]] = {"added": set(), "modified": set(), "removed": set()}
    for kind, path in _compare(schema, old, new, ()):
        found[kind].add(path)
    return Difference(*(frozenset(found[kind]) for kind in ("added", "modified", "removed")))


def _compare(schema: Schema, old: Any, new: Any, path: Path) -> Iterator[tuple[str, Path]]:
    if old is new:
        return
    shape = _common_shape(schema, old, new)
    if shape is Shape.LEAF:
        if kind := _kind_of_change(old, new):
            yield kind, path
        return
    left, right = _parts(schema, shape, old), _parts(schema, shape, new)
    for element in [*left, *(each for each in right if each not in left)]:
        below = _schema_below(schema, shape, element)
        before, after = left.get(element, MISSING), right.get(element, MISSING)
        if below.get(STRUCT):
            # What holds it was there, so it was there too, if only empty.
            before = before if old is MISSING else _present(before, after)
            after = after if new is MISSING else _present(after, before)
        yield from _compare(below, before, after, (*path, element))
    if old is MISSING and path:
        yield "added", path
    elif new is MISSING and path:
        yield "removed", path


def _present(value: Any, other: Any) -> Any:
    if value is not MISSING or other is MISSING:
        return value
    return [] if isinstance(other, list) else {}


def _kind_of_change(old: Any, new: Any) -> str:
    if old is MISSING:
        return "added"
    if new is MISSING:
        return "removed"
    return "" if _same(old, new) else "modified"


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _common_shape(schema: Schema, old: Any, new: Any) -> Shape:
    """Two values walk together when both have parts of the same sort; a missing one goes along."""
    left = None if old is MISSING or old is None else shape_of(schema, old)
    right = None if new is MISSING or new is None else shape_of(schema, new)
    shape = left or right or Shape.LEAF
    if left and right and left is not right:
        return Shape.LEAF
    both_empty = not (old if left else None) and not (new if right else None)
    return Shape.LEAF if both_empty else shape


def _parts(schema: Schema, shape: Shape, value: Any) -> dict[str, Any]:
    if value is MISSING or value is None:
        return {}
    if shape is Shape.MAP:
        return {f"f:{name}": each for name, each in value.items()}
    return {element_of(schema, shape, each): each for each in value}


def _schema_below(schema: Schema, shape: Shape, element: str) -> Schema:
    return field_schema(schema, element[2:]) if shape is Shape.MAP else item_schema(schema)


def merge(schema: Schema, live: Any, applied: Any) -> Any:
    """`applied` laid over `live`; what only `live` has stays."""
    if live is MISSING:
        return applied
    shape = _common_shape(schema, live, applied)
    if shape is Shape.LEAF or applied is None or live is None:
        return applied
    left, right = _parts(schema, shape, live), _parts(schema, shape, applied)
    if shape is Shape.MAP:
        return {
            name: _merged(schema, shape, left, right, f"f:{name}") for name in {**live, **applied}
        }
    return [_merged(schema, shape, left, right, element) for element in _order(left, right)]


def _merged(
    schema: Schema, shape: Shape, left: dict[str, Any], right: dict[str, Any], element: str
) -> Any:
    if element not in right:
        return left[element]
    below = _schema_below(schema, shape, element)
    return merge(below, left.get(element, MISSING), right[element])


def _order(left: dict[str, Any], right: dict[str, Any]) -> Iterator[str]:
    """The applied order; what only the live list has stays before what followed it there."""
    waiting = list(right)
    for element in left:
        if element not in right:
            yield element
        elif element in waiting:
            cut = waiting.index(element) + 1
            yield from waiting[:cut]
            waiting = waiting[cut:]
    yield from waiting


def without(schema: Schema, value: Any, paths: FieldSet, kept: FieldSet) -> Any:
    """`value` less what is at `paths`; containers that this empties go too, unless in `kept`.

    A path that contains something at a kept path is not removed as a whole.
    """
    tops = {path[0] for path in paths}
    if not tops:
        return value
    shape = shape_of(schema, value)
    if shape is Shape.LEAF:
        return value
    parts = _parts(schema, shape, value)
    rest = {
        element: left
        for element, each in parts.items()
        if (left := _without_one(schema, shape, element, each, paths, kept)) is not MISSING
    }
    if shape is Shape.MAP:
        return {element[2:]: each for element, each in rest.items()}
    return list(rest.values())


def _without_one(
    schema: Schema, shape: Shape, element: str, value: Any, paths: FieldSet, kept: FieldSet
) -> Any:
    inner, inner_kept = _below(paths, element), _below(kept, element)
    if (element,) in paths and (element,) not in kept and not inner_kept:
        return MISSING
    if not inner:
        return value
    left = without(_schema_below(schema, shape, element), value, inner, inner_kept)
    if left in ({}, []) and value not in ({}, []) and (element,) not in kept and not inner_kept:
        return MISSING
    return left


def _below(paths: FieldSet, element: str) -> FieldSet:
    return frozenset(path[1:] for path in paths if len(path) > 1 and path[0] == element)
