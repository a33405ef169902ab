"""
The sender's end of one connection: an NBD server of a disk, or of the files beside it, to be read.

It knows what our client asks for and refuses the rest: the fixed newstyle handshake, structured
replies, `base:allocation`, reads, block status, and DIGEST, which is the digest of a range. Zeros
are sent as holes. Protocol: github.com/NetworkBlockDevice/nbd, doc/proto.md. Sizes in bytes.
"""

from __future__ import annotations

import errno
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.sources.nbd.connection import DIGEST
from cdi.images.sources.nbd.handshake import ALLOCATION
from cdi.images.sources.nbd.transport import Transport
from cdi.images.sources.source import PIECE, read
from cdi.workers.ranged import greeting
from cdi.workers.ranged.digests import Digest
from cdi.workers.ranged.files import Files

_FIXED_NEWSTYLE, _NO_ZEROES = 1 << 0, 1 << 1
_OPTION: Final = struct.Struct(">8sII")
_ABORT, _GO, _STRUCTURED, _SET_CONTEXT = 2, 7, 8, 10
_ACK, _INFO, _CONTEXT, _UNSUPPORTED, _UNKNOWN = 1, 3, 4, (1 << 31) | 1, (1 << 31) | 6
_REPLY_MAGIC: Final = 0x3E889045565A9
_OPTION_MOST: Final = 4096
_INFO_EXPORT, _INFO_BLOCK_SIZE, _PREFERRED = 0, 3, 4096
_ALLOCATION_ID: Final = 1
_PART: Final = struct.Struct(">II")
_HAS_FLAGS, _READ_ONLY, _MULTI = 1 << 0, 1 << 1, 1 << 8

_REQUEST: Final = struct.Struct(">IHHQQI")
_REQUEST_MAGIC: Final = 0x25609513
_READ, _DISCONNECT, _STATUS = 0, 2, 7
_CHUNK: Final = struct.Struct(">IHHQI")
_CHUNK_MAGIC, _DONE = 0x668E33EF, 1
_DATA_CHUNK, _HOLE_CHUNK, _STATUS_CHUNK, _ERROR_CHUNK = 1, 2, 5, (1 << 15) | 1
_IS_ZERO: Final = 3  # a hole that reads as zeros
_PARTS_MOST: Final = 4096  # in one answer
_BLOCK: Final = 128 << 10  # looked at for zeros
_ZEROS: Final = bytes(_BLOCK)


class Export:
    """One disk, or some files, shared by all connections that read it."""

    def __init__(self, disk: DiskSource | Files, sent: Callable[[int, int], None]) -> None:
        """`sent` is told of offsets and lengths that have been read."""
        self.disk, self.size, self.sent = disk, disk.size, sent
        edges = [0]
        for part in disk.extents():
            edges += [part.start, part.end]
        self._edges = [*edges, self.size]  # hole, data, hole, ...

    def parts(self, offset: int, end: int) -> list[tuple[int, bool]]:
        """Return (length, whether it is zero) of the first parts of [offset, end)."""
        found = list[tuple[int, bool]]()
        index = bisect_right(self._edges, offset) - 1
        while offset < end and len(found) < _PARTS_MOST:
            stop = min(self._edges[index + 1] if index + 1 < len(self._edges) else end, end)
            if stop > offset:
                found.append((stop - offset, index % 2 == 0))
                offset = stop
            index += 1
        return found

    def data(self) -> int:
        """How many bytes have data."""
        return sum(self._edges[2::2]) - sum(self._edges[1:-1:2])


def serve(line: Transport, exports: Mapping[str, Export], digest: Digest) -> None:
    """Answer until the client leaves. Raises TransferError."""
    export = _agreed(line, exports)
    if export is not None:
        _Session(line, export, digest).run()


def _agreed(line: Transport, exports: Mapping[str, Export]) -> Export | None:
    """Do the handshake; what the client has chosen, None if it leaves."""
    line.send(b"NBDMAGICIHAVEOPT" + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
    line.receive(4)
    while True:
        magic, option, length = _OPTION.unpack(line.receive(_OPTION.size))
        if magic != b"IHAVEOPT" or length > _OPTION_MOST:
            raise errors.SourceRefused(f"{line.shown}: this is no NBD client")
        wish = line.receive(length)
        export = exports.get(_named(wish) if option == _GO else greeting.DISK)
        for kind, body in _answers(option, export):
            head = struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(body))
            line.send(head + body)
        if option == _ABORT:
            return None
        if option == _GO and export is not None:
            return export


def _named(wish: bytes | bytearray) -> str:
    """The name in what a client says with GO."""
    length = int.from_bytes(wish[:4], "big")
    return bytes(wish[4 : 4 + length]).decode("utf-8", "replace")


def _answers(option: int, export: Export | None) -> Iterator[tuple[int, bytes]]:
    if export is None:
        yield _UNKNOWN, b""
        return
    if option == _GO:
        flags = _HAS_FLAGS | _READ_ONLY | _MULTI
        yield _INFO, struct.pack(">HQH", _INFO_EXPORT, export.size, flags)
        yield _INFO, struct.pack(">HIII", _INFO_BLOCK_SIZE, 1, _PREFERRED, PIECE)
    elif option == _SET_CONTEXT:
        yield _CONTEXT, struct.pack(">I", _ALLOCATION_ID) + ALLOCATION
    elif option not in (_ABORT, _STRUCTURED):
        yield _UNSUPPORTED, b""
        return
    yield _ACK, b""


class _Session:
    """Requests and replies of one connection."""

    def __init__(self, line: Transport, export: Export, digest: Digest) -> None:
        self._line, self._export, self._compute = line, export, digest
        self._last = (-1, b"")  # offset and bytes of what was read last

    def run(self) -> None:
        while True:
            magic, _, kind, cookie, offset, length = _REQUEST.unpack(
                self._line.receive(_REQUEST.size)
            )
            if magic != _REQUEST_MAGIC:
                raise errors.SourceRefused(f"{self._line.shown}: this is no NBD client")
            if kind == _DISCONNECT:
                return
            is_too_long = kind in (_READ, DIGEST) and length > PIECE
            if offset + length > self._export.size or is_too_long:
                self._error(cookie, errno.EINVAL)
            else:
                self._answer(kind, cookie, offset, length)

    def _answer(self, kind: int, cookie: int, offset: int, length: int) -> None:
        if kind == _READ:
            self._read(cookie, offset, length)
        elif kind == _STATUS:
            parts = self._export.parts(offset, offset + length)
            told = (_PART.pack(size, _IS_ZERO if is_zero else 0) for size, is_zero in parts)
            body = struct.pack(">I", _ALLOCATION_ID) + b"".join(told)
            self._chunk(_DONE, _STATUS_CHUNK, cookie, body)
        elif kind == DIGEST:
            found = self._digest(offset, length)
            self._chunk(_DONE, _DATA_CHUNK, cookie, struct.pack(">Q", offset) + found)
        else:
            self._error(cookie, errno.EINVAL)

    def _read(self, cookie: int, offset: int, length: int) -> None:
        data = read(self._export.disk, offset, length)
        self._last = (offset, data)
        for start, end, is_zero in _runs(data):
            flags = _DONE if end == length else 0
            if is_zero:
                body = struct.pack(">QI", offset + start, end - start)
                self._chunk(flags, _HOLE_CHUNK, cookie, body)
            else:
                body = struct.pack(">Q", offset + start)
                self._chunk(flags, _DATA_CHUNK, cookie, body, memoryview(data)[start:end])
        self._export.sent(offset, length)

    def _digest(self, offset: int, length: int) -> bytes:
        at, data = self._last
        if (at, len(data)) != (offset, length):
            data = read(self._export.disk, offset, length)
        return self._compute(data)

    def _chunk(
        self, flags: int, kind: int, cookie: int, body: bytes, data: memoryview | None = None
    ) -> None:
        size = len(body) + (0 if data is None else len(data))
        told = _CHUNK.pack(_CHUNK_MAGIC, flags, kind, cookie, size) + body
        self._line.send(told, *([] if data is None else [data]))

    def _error(self, cookie: int, number: int) -> None:
        self._chunk(_DONE, _ERROR_CHUNK, cookie, struct.pack(">IH", number, 0))


def _runs(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield begin and end of each run of blocks, and whether all of them are zero."""
    begin, held = 0, False
    for at in range(0, len(data), _BLOCK):
        size = min(_BLOCK, len(data) - at)
        is_zero = data.startswith(_ZEROS if size == _BLOCK else bytes(size), at)
        if at and is_zero != held:
            yield begin, at, held
            begin = at
        held = is_zero
    if data:
        yield begin, len(data), held
