"""
Bodies of `application/vnd.kubernetes.protobuf`, read into the JSON form of the object.

Here: the wire format and Kubernetes' envelope. The field numbers are those of the type tables
(`definitions`). kubectl sends such bodies for its own create commands, with no other form to fall
back to. Fields without a number in the tables are passed over, as Kubernetes does with unknown
ones. Raises MalformedBody.
"""

from __future__ import annotations

import base64
import functools
import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cdi.standalone.schema import builtin, definitions

MAGIC = b"k8s\x00"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = int | memoryview


class MalformedBody(ValueError):
    """The body is not what its content type says (400)."""


def decode(body: bytes) -> dict[str, Any]:
    """The object in its JSON form, with apiVersion and kind first."""
    if not body.startswith(MAGIC):
        raise MalformedBody("provided data does not appear to be a protobuf message")
    envelope = dict(_fields(memoryview(body)[len(MAGIC) :]))
    meta = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = meta.get(1, ""), meta.get(2, "")
    if _text(envelope.get(3, b"")):
        raise MalformedBody("unable to decode protobuf with a content encoding")
    table = _tables().get((api_version, kind))
    if table is None:
        raise MalformedBody(f'no kind "{kind}" is registered for version "{api_version}"')
    found = _message(*table, _bytes(envelope.get(2, b"")))
    return {"apiVersion": api_version, "kind": kind, **found}


@functools.cache
def _tables() -> dict[tuple[str, str], tuple[str, str]]:
    """Where the types are of what may be sent: kinds, and the options of a delete."""
    found = {(k.api_version, k.kind): (k.table, k.kind) for k in builtin.kinds()}
    found |= {("authentication.k8s.io/v1", "TokenRequest"): ("authentication/v1", "TokenRequest")}
    found |= {("policy/v1", "Eviction"): ("policy/v1", "Eviction")}
    found |= {("autoscaling/v1", "Scale"): ("autoscaling/v1", "Scale")}
    return found | {
        (version, "DeleteOptions"): ("meta", "DeleteOptions")
        for version in ("v1", "meta.k8s.io/v1", *(k.api_version for k in builtin.kinds()))
    }


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Each field's number and value, in the order of the message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise MalformedBody(f"proto: illegal wireType {wire}")
        if at + size > len(data):
            raise MalformedBody("unexpected EOF")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise MalformedBody("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise MalformedBody("proto: integer overflow")


def _bytes(value: Value | bytes) -> memoryview:
    if isinstance(value, int):
        raise MalformedBody("proto: wrong wireType")
    return memoryview(value)


def _text(value: Value | bytes) -> str:
    try:
        return str(_bytes(value), "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody("proto: invalid UTF-8") from error


def _int(value: Value) -> int:
    if not isinstance(value, int):
        raise MalformedBody("proto: wrong wireType")
    return value - (1 << 64) if value >= 1 << 63 else value


@functools.cache
def _layout(owner: str, name: str) -> dict[int, Any]:
    """Fields of a type by wire number; an embedded message has a layout of its own."""
    layout: dict[int, Any] = {}
    for field in definitions.type_of(owner, name).fields:
        node = layout
        for number in field.wire[:-1]:
            node = node.setdefault(number, {})
        if field.wire:
            node[field.wire[-1]] = field
    return layout


def _message(owner: str, name: str, data: memoryview) -> dict[str, Any]:
    found: dict[str, Any] = {}
    _read(definitions.type_of(owner, name).table, _layout(owner, name), data, found)
    return found


def _read(owner: str, layout: dict[int, Any], data: memoryview, found: dict[str, Any]) -> None:
    for number, value in _fields(data):
        entry = layout.get(number)
        if isinstance(entry, dict):
            _read(owner, entry, _bytes(value), found)
        elif entry is not None:
            _put(owner, entry, value, found)


def _put(owner: str, field: definitions.Field, value: Value, found: dict[str, Any]) -> None:
    if field.type.startswith("["):
        items = found.setdefault(field.name, [])
        items += _items(owner, field.type[1:-1], value)
    elif field.type.startswith("{"):
        entry = dict(_fields(_bytes(value)))
        key = _text(entry.get(1, b""))
        empty: Value = memoryview(b"")
        found.setdefault(field.name, {})[key] = _value(owner, field.type[1:-1], entry.get(2, empty))
    elif (read := _value(owner, field.type, value)) is not None and not _is_unset(field, read):
        found[field.name] = read


def _is_unset(field: definitions.Field, value: Any) -> bool:
    """Go's encoder writes empty strings, zeros and messages that JSON leaves out."""
    if value == {}:
        return "struct" in field.options
    return value == "" or (not value and "omitzero" in field.options)


def _items(owner: str, kind: str, value: Value) -> list[Any]:
    packed = kind in ("int32", "int64") and not isinstance(value, int)
    if not packed:
        return [_value(owner, kind, value)]
    data, at, items = _bytes(value), 0, []
    while at < len(data):
        item, at = _varint(data, at)
        items.append(_int(item))
    return items


def _value(owner: str, kind: str, value: Value) -> Any:
    if read := _LEAVES.get(kind):
        return read(value)
    found = definitions.type_of(owner, kind)
    return _message(found.table, found.name, _bytes(value))


def _quantity(value: Value) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b""))


def _int_or_string(value: Value) -> int | str:
    parts = dict(_fields(_bytes(value)))
    if _int(parts.get(1, 0)) == 1:
        return _text(parts.get(3, b""))
    return _int(parts.get(2, 0))


def _time(value: Value, *, fraction: bool = False) -> str | None:
    """A zero time stands for none."""
    parts = dict(_fields(_bytes(value)))
    if 1 not in parts:
        return None
    seconds, nanos = _int(parts[1]), _int(parts.get(2, 0))
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if fraction else f"{text}Z"


def _raw(value: Value) -> Any:
    """An object inside an object: JSON bytes, or an envelope of its own."""
    inner = bytes(_bytes(dict(_fields(_bytes(value))).get(1, b"")))
    if inner.startswith(MAGIC):
        return decode(inner)
    try:
        return json.loads(inner) if inner else None
    except ValueError as error:
        raise MalformedBody("an embedded object is not JSON") from error


def _double(value: Value) -> float:
    found: tuple[float] = struct.unpack("<d", _bytes(value))
    return found[0]


_LEAVES: dict[str, Callable[[Value], Any]] = {
    "string": _text,
    "int32": _int,
    "int64": _int,
    "double": _double,
    "bool": lambda value: bool(_int(value)),
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "quantity": _quantity,
    "time": _time,
    "microtime": functools.partial(_time, fraction=True),
    "int-or-string": _int_or_string,
    "raw": _raw,
    "fields": _raw,
    "json": _raw,
    "object": _raw,
}
