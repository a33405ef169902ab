"""
What client and server agree on before the first request: the fixed newstyle handshake.

Asked for, and done without where the server has none: structured replies, the meta context
`base:allocation`, block sizes. Everything a server says of lengths is checked. Sizes in bytes.
Raises NotFound, AccessDenied, SourceRefused, and what a `line` raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NoReturn

from cdi.images import errors
from cdi.images.sources.nbd.transport import Transport

_GREETING = struct.Struct(">8s8sH")
_MAGIC, _OPTION_MAGIC = b"NBDMAGIC", b"IHAVEOPT"
_FIXED_NEWSTYLE, _NO_ZEROES = 1 << 0, 1 << 1

_OPTION = struct.Struct(">8sII")
_REPLY = struct.Struct(">QIII")
_REPLY_MAGIC = 0x3E889045565A9
_LONGEST_REPLY = 64 << 10

_GO, _STRUCTURED_REPLY, _SET_META_CONTEXT = 7, 8, 10
_ACK, _INFO, _META_CONTEXT = 1, 3, 4
_IS_ERROR = 1 << 31
_POLICY, _TLS_REQUIRED, _UNKNOWN = (_IS_ERROR | number for number in (2, 5, 6))
_INFO_EXPORT, _INFO_BLOCK_SIZE = 0, 3
_LENGTHS = {_INFO_EXPORT: 12, _INFO_BLOCK_SIZE: 14}
ALLOCATION = b"base:allocation"

_CAN_MULTI_CONN = 1 << 8
_LARGEST_DISK = 1 << 62
_LARGEST_MINIMUM = 64 << 10
# What may be asked of a server that states no limit of its own.
_USUAL_MOST = 32 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """One export as the handshake left it. `context` is the number of `base:allocation`."""

    size: int
    multi_conn: bool = False
    structured: bool = False
    context: int | None = None
    least: int = 1  # every request is a multiple of it, and so is where it begins
    most: int = _USUAL_MOST  # bytes that one read may ask for


def negotiate(line: Transport, name: str = "") -> Export:
    """Agree on an export with the server at the other end."""
    magic, option_magic, flags = _GREETING.unpack(line.receive(_GREETING.size))
    if (magic, option_magic) != (_MAGIC, _OPTION_MAGIC) or not flags & _FIXED_NEWSTYLE:
        raise errors.SourceRefused(f"{line.shown}: this is no NBD server, or a very old one")
    line.send(struct.pack(">I", flags & (_FIXED_NEWSTYLE | _NO_ZEROES)))
    structured = _structured_replies(line)
    context = _allocation_context(line, name) if structured else None
    return _go(line, name, structured, context)


def _structured_replies(line: Transport) -> bool:
    _ask(line, _STRUCTURED_REPLY, b"")
    kind, _ = _answer(line, _STRUCTURED_REPLY)
    return kind == _ACK


def _allocation_context(line: Transport, name: str) -> int | None:
    query = struct.pack(">I", 1) + _counted(ALLOCATION)
    _ask(line, _SET_META_CONTEXT, _counted(name.encode()) + query)
    context = None
    while True:
        kind, body = _answer(line, _SET_META_CONTEXT)
        if kind != _META_CONTEXT:
            return context if kind == _ACK else None
        if len(body) < 4:
            _violated(line, "a meta context without a number")
        if body[4:] == ALLOCATION:
            context = int.from_bytes(body[:4], "big")


def _go(line: Transport, name: str, structured: bool, context: int | None) -> Export:
    wish = struct.pack(">HH", 1, _INFO_BLOCK_SIZE)
    _ask(line, _GO, _counted(name.encode()) + wish)
    size: int | None = None
    flags, least, most = 0, 1, _USUAL_MOST
    while True:
        kind, body = _answer(line, _GO)
        if kind == _ACK:
            break
        if kind != _INFO:
            _refused(line, name, kind, body)
        told = int.from_bytes(body[:2], "big")
        if told in _LENGTHS and len(body) != _LENGTHS[told]:
            _violated(line, "information of a wrong length")
        if told == _INFO_EXPORT:
            size, flags = struct.unpack(">QH", body[2:])
        elif told == _INFO_BLOCK_SIZE:
            least, _, most = struct.unpack(">III", body[2:])
    if size is None or size > _LARGEST_DISK:
        _violated(line, "no size, or an impossible one")
    if not 1 <= least <= _LARGEST_MINIMUM or least & (least - 1) or most < least:
        _violated(line, "impossible block sizes")
    return Export(
        size=size,
        multi_conn=bool(flags & _CAN_MULTI_CONN),
        structured=structured,
        context=context,
        least=least,
        most=most // least * least,
    )


def _ask(line: Transport, option: int, data: bytes) -> None:
    line.send(_OPTION.pack(_OPTION_MAGIC, option, len(data)) + data)


def _answer(line: Transport, option: int) -> tuple[int, bytes]:
    magic, about, kind, length = _REPLY.unpack(line.receive(_REPLY.size))
    if magic != _REPLY_MAGIC or about != option or length > _LONGEST_REPLY:
        _violated(line, "an answer to another question")
    return kind, bytes(line.receive(length))


def _refused(line: Transport, name: str, kind: int, body: bytes) -> NoReturn:
    said = body.decode("utf-8", "replace").strip() or f"error {kind & ~_IS_ERROR}"
    if kind == _UNKNOWN:
        raise errors.NotFound(f"{line.shown}: there is no export {name!r}: {said}")
    if kind == _POLICY:
        raise errors.AccessDenied(f"{line.shown}: export {name!r} is forbidden: {said}")
    if kind == _TLS_REQUIRED:
        raise errors.SourceRefused(f"{line.shown}: the server insists on TLS, which is not spoken")
    raise errors.SourceRefused(f"{line.shown}: export {name!r} is refused: {said}")


def _violated(line: Transport, what: str) -> NoReturn:
    raise errors.SourceRefused(f"{line.shown}: the server breaks the NBD protocol: {what}")


def _counted(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text
