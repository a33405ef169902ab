"""
Protobuf's wire format, for dataclasses whose fields say their numbers.

Here: what the Container Storage Interface needs of version 3: texts, booleans, integers,
enumerations, messages, lists of texts and messages, maps of texts. Fields that nobody declared are
passed over, as protobuf demands; an enumeration's unknown value counts as its first one. Raises
Malformed for bytes that are no message.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

_NUMBER: Final = "number"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10  # bytes: seven bits in each
_64_BITS: Final = (1 << 64) - 1


class Malformed(ValueError):
    """The bytes are no message of this type."""


@dataclass(frozen=True, slots=True)
class Message:
    """What messages inherit: dataclasses with fields made by the functions below."""


M = TypeVar("M", bound=Message)


def text(number: int) -> Any:
    return dataclasses.field(default="", metadata={_NUMBER: number})


def flag(number: int) -> Any:
    return dataclasses.field(default=False, metadata={_NUMBER: number})


def integer(number: int) -> Any:
    """An integer of 32 or 64 bits with sign."""
    return dataclasses.field(default=0, metadata={_NUMBER: number})


def choice(number: int, first: enum.IntEnum) -> Any:
    return dataclasses.field(default=first, metadata={_NUMBER: number})


def optional(number: int) -> Any:
    """A message that may be missing, which is not the same as an empty one."""
    return dataclasses.field(default=None, metadata={_NUMBER: number})


def many(number: int) -> Any:
    return dataclasses.field(default_factory=list, metadata={_NUMBER: number})


def mapping(number: int) -> Any:
    return dataclasses.field(default_factory=dict, metadata={_NUMBER: number})


def encode(message: Message) -> bytes:
    """The bytes of a message; what has its default value is left out."""
    return b"".join(
        field.put(number, value)
        for number, field in _fields_of(type(message)).items()
        if (value := getattr(message, field.name)) != field.default
    )


def decode(kind: type[M], data: bytes | memoryview) -> M:
    """The message that the bytes are. Raises Malformed."""
    fields, found = _fields_of(kind), dict[str, Any]()
    for number, value in _parts(memoryview(data)):
        if (field := fields.get(number)) is not None:
            field.take(found, value)
    return kind(**found)


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: how its value is written, and how one that was read joins the others."""

    name: str
    default: Any
    put: Callable[[int, Any], bytes]
    take: Callable[[dict[str, Any], int | memoryview], None]


def _fields_of(kind: type[Message]) -> dict[int, _Field]:
    found = _KNOWN.get(kind)
    if found is None:
        hints = typing.get_type_hints(kind)
        found = _KNOWN[kind] = {
            each.metadata[_NUMBER]: _field(each.name, hints[each.name])
            for each in dataclasses.fields(kind)
        }
    return found


_KNOWN: Final[dict[type[Message], dict[int, _Field]]] = {}


def _field(name: str, hint: Any) -> _Field:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return _repeated(name, inner[0])
    if origin is dict:
        return _map(name)
    if origin in (typing.Union, types.UnionType):
        return _single(name, inner[0], None)
    return _single(name, hint, hint(0) if issubclass(hint, int) else hint())


def _single(name: str, kind: Any, default: Any) -> _Field:
    read = _reader(kind)

    def take(found: dict[str, Any], value: int | memoryview) -> None:
        found[name] = read(value)

    return _Field(name, default, _writer(kind), take)


def _repeated(name: str, kind: Any) -> _Field:
    read, write = _reader(kind), _writer(kind)

    def put(number: int, values: list[Any]) -> bytes:
        return b"".join(write(number, value) for value in values)

    def take(found: dict[str, Any], value: int | memoryview) -> None:
        found.setdefault(name, []).append(read(value))

    return _Field(name, [], put, take)


def _map(name: str) -> _Field:
    def put(number: int, values: dict[str, str]) -> bytes:
        entries = (_put_text(1, key) + _put_text(2, value) for key, value in values.items())
        return b"".join(_put_bytes(number, entry) for entry in entries)

    def take(found: dict[str, Any], value: int | memoryview) -> None:
        entry = dict(_parts(_as_bytes(value)))
        key, worth = (_as_text(entry.get(number, memoryview(b""))) for number in (1, 2))
        found.setdefault(name, {})[key] = worth

    return _Field(name, {}, put, take)


# Values by type.


def _writer(kind: Any) -> Callable[[int, Any], bytes]:
    if kind is str:
        return _put_text
    if issubclass(kind, int):
        return lambda number, value: _varint(number << 3 | _VARINT) + _varint(int(value) & _64_BITS)
    return lambda number, value: _put_bytes(number, encode(value))


def _reader(kind: Any) -> Callable[[int | memoryview], Any]:
    if kind is str:
        return _as_text
    if issubclass(kind, enum.IntEnum):
        return lambda value: _known(kind, _as_integer(value))
    if issubclass(kind, int):
        return lambda value: kind(_as_integer(value))
    return lambda value: decode(kind, _as_bytes(value))


def _known(kind: type[enum.IntEnum], value: int) -> enum.IntEnum:
    try:
        return kind(value)
    except ValueError:
        return kind(0)


def _put_text(number: int, value: str) -> bytes:
    return _put_bytes(number, value.encode())


def _put_bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _as_integer(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise Malformed("bytes where a number should be")
    return value - (1 << 64) if value >> 63 else value


def _as_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise Malformed("a number where bytes should be")
    return value


def _as_text(value: int | memoryview) -> str:
    try:
        return str(_as_bytes(value), "utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is not UTF-8") from None


# Bytes.


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _parts(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield each field's number, with its integer or its bytes."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        match tag & 7:
            case 0:
                value, at = _read_varint(data, at)
                yield tag >> 3, value
            case 2:
                length, at = _read_varint(data, at)
                yield tag >> 3, _piece(data, at, length)
                at += length
            case 1 | 5 as kind:  # of a fixed length; nothing that is declared here has one
                length = 8 if kind == _FIXED64 else 4
                yield tag >> 3, _piece(data, at, length)
                at += length
            case kind:
                raise Malformed(f"a field of the unknown kind {kind}")


def _piece(data: memoryview, at: int, length: int) -> memoryview:
    if at + length > len(data):
        raise Malformed("the message ends within a field")
    return data[at : at + length]


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= len(data):
            raise Malformed("the message ends within a number")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & _64_BITS, at + index + 1
    raise Malformed("a number of more than 64 bits")
