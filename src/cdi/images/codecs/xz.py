"""
The .xz container: several streams with padding, any filter chain, every check verified.

liblzma decodes and verifies the blocks. Block boundaries, which it does not tell, are found by
following the block headers and the chunk headers of LZMA2, and each is a point to restart from.
The index and the footer of a stream are verified here: liblzma would insist on having seen the
blocks in front of the restart too.

Elsewhere: the container's fields (`xzfields`), reading the index first (`xzindex`).
"""

from __future__ import annotations

import hashlib
import lzma
import zlib
from collections.abc import Callable, Generator
from typing import TypeVar

from cdi.images import errors
from cdi.images.codecs import decoder, members, xzfields

IN_STREAM = 0x10  # in Restart.detail: at a block or at the index; the low bits tell the check

T = TypeVar("T")


def block_detail(check: int) -> int:
    """Return the `Restart.detail` of a block in a stream with that kind of check."""
    return IN_STREAM | check


class XzDecoder(decoder.Scripted):
    name = "xz"

    def __init__(self, at: decoder.Restart | None = None, memory: int = decoder.MEMORY) -> None:
        super().__init__(at)
        self._memory = memory

    def _decode(self) -> decoder.Script:
        if self.restart is None:
            yield from self._need()
        elif self.restart.detail & IN_STREAM:
            yield from self._stream(self.restart.detail & 0x0F, whole=False)
        while (yield from self._another()):
            header = yield from self._take(xzfields.HEADER_SIZE)
            yield from self._stream(self._parsed(xzfields.parse_stream_header, header), whole=True)

    def _another(self) -> Generator[None, None, bool]:
        """Pass over stream padding; return whether another stream follows."""
        if self.restart is None:
            return True
        start = self._offset
        yield from self._skip_zeros()
        if (self._offset - start) % 4:
            raise self.corrupt("padding of an odd length")
        return (yield from self._more())

    def _stream(self, check: int, *, whole: bool) -> decoder.Script:
        """Decode the rest of a stream behind its header; `whole` if all its blocks follow."""
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._memory + (8 << 20))
        yield from self._unpack(unpacker, xzfields.stream_header(check))
        records = _Records()
        while (size := (yield from self._take(1))) != b"\0":
            start = self._output
            unpadded = yield from self._block(unpacker, size, check)
            records.add(unpadded, self._output - start)
            self._mark(block_detail(check))
        index_size = yield from self._index(records, whole=whole)
        footer_bytes = yield from self._take(xzfields.FOOTER_SIZE)
        footer = self._parsed(xzfields.parse_footer, footer_bytes)
        if footer != xzfields.Footer(index_size, check):
            raise self.corrupt("the footer contradicts its stream")
        self._mark()

    def _block(
        self, unpacker: lzma.LZMADecompressor, size: bytes, check: int
    ) -> Generator[bytes | None, None, int]:
        """Decode the block whose first byte is `size`; return its length without padding."""
        start = self._offset - 1
        header = size + (yield from self._take(size[0] * 4 + 3))
        self._refuse_large(self._parsed(xzfields.parse_block_header, header).dictionary)
        yield from self._unpack(unpacker, header)
        while True:
            if run := self._whole_chunks():
                yield from self._unpack(unpacker, run)
            if (control := (yield from self._take(1))) == b"\0":
                break
            yield from self._chunk(unpacker, control)
        length = self._offset - start
        trailer = -length % 4 + xzfields.check_size(check)
        yield from self._unpack(unpacker, control + (yield from self._take(trailer)))
        return length + xzfields.check_size(check)

    def _whole_chunks(self) -> memoryview:
        """Read the whole chunks that are here already: a call for each would cost more time."""
        view, start, end = self._view, self._position, self._position
        while end + 6 <= len(view) and (control := view[end]) != 0:
            if control >= 0x80:
                size = (view[end + 3] << 8 | view[end + 4]) + (7 if control >= 0xC0 else 6)
            elif control <= 2:
                size = (view[end + 1] << 8 | view[end + 2]) + 4
            else:
                break  # `_chunk` refuses it
            if end + size > len(view):
                break
            end += size
        return self._some(end - start)

    def _chunk(self, unpacker: lzma.LZMADecompressor, control: bytes) -> decoder.Script:
        """Decode one chunk of LZMA2, at most 64 KiB of input."""
        if control[0] < 0x80:
            if control[0] > 2:
                raise self.corrupt("an unknown kind of chunk")
            header = yield from self._take(2)
            left = int.from_bytes(header, "big") + 1
        else:
            with_properties = control[0] >= 0xC0
            header = yield from self._take(5 if with_properties else 4)
            left = int.from_bytes(header[2:4], "big") + 1
        yield from self._unpack(unpacker, control + header)
        while left:
            yield from self._need()
            part = self._some(left)
            left -= len(part)
            yield from self._unpack(unpacker, part)

    def _index(self, records: _Records, *, whole: bool) -> Generator[None, None, int]:
        """Verify the index behind its indicator against the blocks; return its length.

        A stream entered at a block knows its last blocks only; their records are the last ones.
        """
        crc = zlib.crc32(b"\0")
        size = 1

        def number() -> Generator[None, None, int]:
            nonlocal crc, size
            data = b""
            while not data or (data[-1] & 0x80 and len(data) < xzfields.VLI_BYTES):
                data += yield from self._take(1)
            crc = zlib.crc32(data, crc)
            size += len(data)
            return self._parsed(lambda raw: xzfields.parse_vli(raw, 0)[0], data)

        count = yield from number()
        unknown = count - records.count
        if unknown < 0 or (whole and unknown):
            raise self.corrupt("the index has another number of blocks than the stream")
        listed = _Records()
        for place in range(count):
            unpadded = yield from number()
            uncompressed = yield from number()
            if place >= unknown:
                listed.add(unpadded, uncompressed)
        padding = yield from self._take(-size % 4)
        ending = yield from self._take(4)
        if any(padding) or zlib.crc32(padding, crc) != int.from_bytes(ending, "little"):
            raise self.corrupt("the index's checksum does not match")
        if listed.digest() != records.digest():
            raise self.corrupt("the index contradicts the blocks")
        return size + len(padding) + len(ending)

    def _refuse_large(self, dictionary: int) -> None:
        if dictionary > self._memory:
            raise errors.UnsafeImage(
                f"the xz data needs too much memory: a dictionary of {dictionary} bytes, while "
                f"{self._memory} are allowed; compress it with a smaller one"
            )

    def _unpack(self, unpacker: lzma.LZMADecompressor, data: bytes | memoryview) -> decoder.Script:
        return members.unpack(self, unpacker, data, (lzma.LZMAError,))

    def _parsed(self, parse: Callable[[bytes], T], data: bytes) -> T:
        try:
            return parse(data)
        except xzfields.MalformedError as broken:
            raise self.corrupt(broken) from broken


class _Records:
    """The sizes of any number of blocks in order, in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.blake2b()

    def add(self, unpadded: int, uncompressed: int) -> None:
        self.count += 1
        self._hash.update(unpadded.to_bytes(8, "big") + uncompressed.to_bytes(8, "big"))

    def digest(self) -> bytes:
        return self._hash.digest()
