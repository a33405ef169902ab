"""
Typed views of API objects: for reading and building them at the edges of the program.

Objects travel as plain dicts, exactly as the server sent them. A view is made from such a dict
where code wants names and types instead of keys, and is turned back into one where code builds
an object. A view knows the fields of our schema only; `update` therefore writes a view over the
dict it came from, so that no field of anybody else is lost.

Views are lenient: the API server enforces the schema (enums, patterns, lengths), a view only
insists on types and on required fields. Absent and null both read as None; None is never
written. Raises InvalidObject where a dict cannot be read.

`doc` gives a field its description and whatever the schema says beyond the Python type;
`schema` turns both into OpenAPI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from cdi.api import quantity

Object = dict[str, Any]

ATOMIC_MAP: Final = {"x-kubernetes-map-type": "atomic"}  # replaced as a whole by server-side apply
ATOMIC_LIST: Final = {"x-kubernetes-list-type": "atomic"}


class InvalidObject(ValueError):
    """An object does not have the shape of its kind."""


class View(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Base of every typed view. Absent fields are None; required fields come first."""


def doc(description: str, **schema: Any) -> msgspec.Meta:
    """Describe a field; keywords go into its schema, with `_` for `-` in `x_kubernetes_`."""
    named = {
        key.replace("_", "-") if key.startswith("x_kubernetes") else key: value
        for key, value in schema.items()
    }
    return msgspec.Meta(extra_json_schema={"description": description, **named})


# Values with a type of their own in the schema. Views carry them as the server sends them.
Quantity = Annotated[int | str, msgspec.Meta(extra_json_schema={"pattern": quantity.PATTERN})]
Int32 = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
Int64 = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int64"})]
Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]  # RFC 3339
Duration = str  # as Go prints it: 48h0m0s

V = TypeVar("V", bound=View)


def read(kind: type[V], fields: Mapping[str, Any]) -> V:
    """Return `fields` as a view. Raises InvalidObject."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise InvalidObject(f"not a {kind.__name__}: {error}") from error


def fields_of(view: View) -> Object:
    """Return a view as a new dict, without the fields that are None."""
    return dict(msgspec.to_builtins(view))


def update(fields: Mapping[str, Any], view: View) -> Object:
    """Return a copy of `fields` in which what the view knows is as the view says.

    Fields that the view does not know stay, also inside nested objects and inside the items
    of lists. `fields` itself is left alone.
    """
    known = {field.encode_name for field in msgspec.structs.fields(type(view))}
    merged = {key: value for key, value in fields.items() if key not in known}
    for field in msgspec.structs.fields(type(view)):
        value = getattr(view, field.name)
        if value is not None:
            merged[field.encode_name] = _written(value, fields.get(field.encode_name))
    return merged


def _written(value: Any, old: Any) -> Any:
    if isinstance(value, View):
        return update(old if isinstance(old, Mapping) else {}, value)
    if isinstance(value, list) and any(isinstance(item, View) for item in value):
        return _written_list(value, old if isinstance(old, list) else [])
    return msgspec.to_builtins(value)


def _written_list(views: list[View], old: list[Any]) -> list[Any]:
    """Give each item the unknown fields of the old item that reads the same, or has its place."""
    free = dict(enumerate(old))
    same = [_take(free, view) for view in views]
    return [
        update(kept if kept is not None else free.get(place, {}), view)
        for place, (view, kept) in enumerate(zip(views, same, strict=True))
    ]


def _take(free: dict[int, Any], view: View) -> Any:
    """Take the first old item that reads as this view out of `free`."""
    for place, item in free.items():
        try:
            if msgspec.convert(item, type(view)) == view:
                return free.pop(place)
        except msgspec.ValidationError:
            continue
    return None
