"""
Requests to one NBD server and its replies, one at a time.

A reply may come in chunks, in any order; each is checked to lie within what was asked for. After
`Failed` the connection can be used further, after any other error it cannot. Offsets and lengths
are in bytes, multiples of the export's least block.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import NoReturn, TypeAlias

from cdi.images import errors
from cdi.images.sources.nbd.handshake import Export
from cdi.images.sources.nbd.transport import Transport

_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC = 0x25609513
_READ, _DISCONNECT, _BLOCK_STATUS = 0, 2, 7
Bytes: TypeAlias = bytes | bytearray
# Not of the protocol: a copy's sender answers it, and nobody else is asked.
DIGEST, DIGEST_BYTES = 0x4344, 16

_SIMPLE_MAGIC, _SIMPLE = 0x67446698, struct.Struct(">IQ")
_CHUNK_MAGIC, _CHUNK = 0x668E33EF, struct.Struct(">HHQI")
_DONE = 1 << 0
_NONE, _DATA, _HOLE, _STATUS = 0, 1, 2, 5
_IS_ERROR = 1 << 15
_LONGEST_MESSAGE = 64 << 10
_LONGEST_STATUS = 16 << 20  # two million parts of 2 GiB; nbdkit ends at one million
_PART = struct.Struct(">II")
_ZERO = 1 << 1


class Failed(errors.SourceUnavailable):
    """The server says that it could not carry out a request."""


class Connection:
    """Speaks to one export; not for several threads at once."""

    def __init__(self, line: Transport, export: Export) -> None:
        self.export = export
        self._line = line
        self._cookie = 0

    def read(self, offset: int, length: int) -> Bytes:
        """Return the bytes [offset, offset + length)."""
        self._ask(_READ, offset, length)
        return self._filled(offset, length)

    @property
    def vouches(self) -> bool:
        """See `Transport.vouches`."""
        return self._line.vouches

    def read_with_digest(self, offset: int, length: int) -> tuple[Bytes, Bytes]:
        """Return the bytes [offset, offset + length), and their digest as their server has it."""
        # Both at once: an answer each would cost a way there and back.
        asked = self._cookie + 1
        wanted = self._request(_READ, offset, length) + self._request(DIGEST, offset, length)
        self._line.send(wanted)
        last, self._cookie = self._cookie, asked
        try:
            found = self._filled(offset, length)
        except Failed:
            self._cookie = last
            self._filled(offset, DIGEST_BYTES)
            raise
        self._cookie = last
        return found, self._filled(offset, DIGEST_BYTES)

    def digest(self, offset: int, length: int) -> Bytes:
        """Return the digest of the bytes [offset, offset + length), as their server has them."""
        self._ask(DIGEST, offset, length)
        return self._filled(offset, DIGEST_BYTES)

    def _filled(self, offset: int, length: int) -> Bytes:
        """Return the `length` bytes of a reply."""
        if not self.export.structured:
            self._simple_reply()
            return self._line.receive(length)
        found: Bytes | None = None  # the whole of it in one piece is the rule
        came, problem = 0, ""
        for kind, size in self._chunks():
            if kind == _DATA and found is None and size == 8 + length:
                found = self._whole(offset, length)
                came += length
            elif kind == _DATA:
                found = bytearray(found or length)
                came += self._data(memoryview(found), offset, size)
            elif kind == _HOLE:
                came += self._hole(offset, length, size)
            else:
                problem = self._other(kind, size) or problem
        if problem:
            raise Failed(f"{self._line.shown}: cannot read at byte {offset}: {problem}")
        if came != length:
            self._violated(f"{came} bytes where {length} were asked for")
        return bytearray(length) if found is None else found

    def status(self, offset: int, length: int) -> list[tuple[int, bool]]:
        """Return (length, whether it is zero) of the parts from `offset` on, at least one.

        They may end before what was asked for, and beyond it. A part that is not called zero has
        to be read, a hole too: what a hole holds is not said.
        """
        self._ask(_BLOCK_STATUS, offset, length)
        parts: list[tuple[int, bool]] = []
        problem = ""
        for kind, size in self._chunks():
            if kind == _STATUS:
                parts = self._parts(size)
            else:
                problem = self._other(kind, size) or problem
        if problem or not parts:
            raise Failed(f"{self._line.shown}: no block status at byte {offset}: {problem}")
        return parts

    def close(self) -> None:
        """Say good-bye, if that can be done at once."""
        try:
            self._line.send(_REQUEST.pack(_REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
        except errors.TransferError:
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self._line.close()

    def _ask(self, command: int, offset: int, length: int) -> None:
        self._line.send(self._request(command, offset, length))

    def _request(self, command: int, offset: int, length: int) -> bytes:
        self._cookie += 1
        return _REQUEST.pack(_REQUEST_MAGIC, 0, command, self._cookie, offset, length)

    def _magic(self) -> int:
        return int.from_bytes(self._line.receive(4), "big")

    def _simple_reply(self) -> None:
        if self._magic() != _SIMPLE_MAGIC:
            self._violated("no reply where one is due")
        self._check_simple()

    def _check_simple(self) -> None:
        problem, cookie = _SIMPLE.unpack(self._line.receive(_SIMPLE.size))
        if cookie != self._cookie:
            self._violated("a reply to another request")
        if problem:
            raise Failed(f"{self._line.shown}: the server says: {_text(problem)}")

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Yield kind and length of each chunk, whose content the caller takes off the line."""
        while True:
            magic = self._magic()
            if magic == _SIMPLE_MAGIC:  # allowed for all but reads
                self._check_simple()
                return
            if magic != _CHUNK_MAGIC:
                self._violated("no reply where one is due")
            flags, kind, cookie, size = _CHUNK.unpack(self._line.receive(_CHUNK.size))
            if cookie != self._cookie:
                self._violated("a reply to another request")
            yield kind, size
            if flags & _DONE:
                return

    def _whole(self, asked: int, length: int) -> Bytes:
        if int.from_bytes(self._line.receive(8), "big") != asked:
            self._violated("data that nobody asked for")
        return self._line.take(length)

    def _data(self, found: memoryview, asked: int, size: int) -> int:
        count = size - 8
        if count <= 0:
            self._violated("a piece of data without bytes")
        at = int.from_bytes(self._line.receive(8), "big") - asked
        if at < 0 or at + count > len(found):
            self._violated("data that nobody asked for")
        self._line.receive_into(found[at : at + count])
        return count

    def _hole(self, asked: int, length: int, size: int) -> int:
        if size != 12:
            self._violated("a hole without bounds")
        at, count = struct.unpack(">QI", self._line.receive(size))
        if at < asked or at + count > asked + length:
            self._violated("a hole that nobody asked for")
        return int(count)

    def _parts(self, size: int) -> list[tuple[int, bool]]:
        if size > _LONGEST_STATUS or size < 4 + _PART.size or (size - 4) % _PART.size:
            self._violated("a block status of a wrong length")
        body = memoryview(self._line.receive(size))
        if int.from_bytes(body[:4], "big") != self.export.context:
            self._violated("a block status of another context")
        parts = [(length, bool(flags & _ZERO)) for length, flags in _PART.iter_unpack(body[4:])]
        if not all(length for length, _ in parts):
            self._violated("an empty part")
        return parts

    def _other(self, kind: int, size: int) -> str:
        """Take a chunk that is no answer; return what is wrong if it tells of an error."""
        if size > _LONGEST_MESSAGE:
            self._violated("a message of absurd length")
        body = self._line.receive(size)
        if not kind & _IS_ERROR:
            if kind != _NONE:
                self._violated(f"a chunk of unknown type {kind}")
            return ""
        if size < 6:
            self._violated("an error without a number")
        number, length = struct.unpack_from(">IH", body)
        said = bytes(body[6 : 6 + length]).decode("utf-8", "replace").strip()
        return said or _text(number)

    def _violated(self, what: str) -> NoReturn:
        raise errors.SourceRefused(
            f"{self._line.shown}: the server breaks the NBD protocol: {what}"
        )


def _text(number: int) -> str:
    """The words of an NBD error; its numbers are those of Linux."""
    known = errno.errorcode.get(number)
    return os.strerror(number).lower() if known else f"error {number}"
