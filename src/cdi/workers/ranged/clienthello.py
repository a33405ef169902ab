"""
Which protocols a TLS client offers, read off its first bytes. A pure function over hostile input.

Only to choose who shall talk to the client: what is offered is agreed on by TLS itself, later.
Formats: RFC 8446, 4.1.2 and 5.1; RFC 7301, 3.1.
"""

from __future__ import annotations

from typing import Final

HEADER: Final = 5  # bytes of a record before its content
RECORD_MOST: Final = HEADER + (1 << 14)
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_ALPN: Final = 16
_BEFORE_SESSION: Final = 4 + 2 + 32  # of a ClientHello: its head, the version, random bytes


def wanted(data: bytes) -> int:
    """How many bytes of a connection have to be seen; 0 if it does not begin with a ClientHello."""
    if len(data) < HEADER:
        return HEADER
    size = HEADER + int.from_bytes(data[3:5], "big")
    return 0 if data[0] != _HANDSHAKE or size > RECORD_MOST else size


def offers(data: bytes) -> tuple[bytes, ...]:
    """Return the names that a complete first record offers; none in doubt."""
    try:
        return _names(_extension(_Bytes(data[HEADER:]), _ALPN))
    except IndexError:
        return ()


class _Bytes:
    """Bytes that are taken off one after the other. Raises IndexError where there are none left."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise IndexError
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def counted(self, width: int) -> bytes:
        """Take what begins with its own length, a number of `width` bytes."""
        return self.take(self.number(width))

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)


def _extension(hello: _Bytes, kind: int) -> bytes:
    if hello.take(_BEFORE_SESSION)[0] != _CLIENT_HELLO:
        return b""
    hello.counted(1)  # session
    hello.counted(2)  # cipher suites
    hello.counted(1)  # compression
    extensions = _Bytes(hello.counted(2))
    while not extensions.is_empty:
        found, content = extensions.number(2), extensions.counted(2)
        if found == kind:
            return content
    return b""


def _names(content: bytes) -> tuple[bytes, ...]:
    if not content:
        return ()
    listed, names = _Bytes(_Bytes(content).counted(2)), list[bytes]()
    while not listed.is_empty:
        names.append(listed.counted(1))
    return tuple(names)
