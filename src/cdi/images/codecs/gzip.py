"""
gzip (RFC 1952), several members too, by Intel's igzip: two to three times as fast as zlib.

CRC and length of each member are verified. Zeros after a member are padding; anything else that
is no member is ignored and logged, as GNU gzip does. Member headers are read here: isal 1.9.1
loses its place in optional fields that arrive in several pieces.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from typing import cast

from isal import igzip_lib

from cdi.images.codecs import decoder, members

DEFLATE = 8
HEADER_CRC, EXTRA, NAME, COMMENT, RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0


class GzipDecoder(members.MembersDecoder):
    name = "gz"
    MAGIC = b"\x1f\x8b"
    failures = (cast("type[Exception]", igzip_lib.error),)  # its stub calls the class an instance

    def _unpacker(self) -> members.Unpacker:
        # Without a header, and with a trailer that is verified.
        unpacker = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR_VER)
        return cast("members.Unpacker", unpacker)

    def _header(self, head: bytes) -> Generator[None, None, bytes]:
        fixed = yield from self._take(8)
        method, flags = fixed[0], fixed[1]
        if method != DEFLATE or flags & RESERVED:
            raise self.corrupt("an unknown compression method or flag")
        crc = zlib.crc32(head + fixed)
        if flags & EXTRA:
            size = yield from self._take(2)
            crc = yield from self._field(zlib.crc32(size, crc), int.from_bytes(size, "little"))
        for text in (NAME, COMMENT):
            if flags & text:
                crc = yield from self._text(crc)
        if flags & HEADER_CRC:
            stored = yield from self._take(2)
            if int.from_bytes(stored, "little") != crc & 0xFFFF:
                raise self.corrupt("the header's checksum does not match")
        return b""

    def _field(self, crc: int, left: int) -> Generator[None, None, int]:
        """Pass over `left` bytes; return the checksum with them."""
        while left:
            yield from self._need()
            part = self._some(left)
            left -= len(part)
            crc = zlib.crc32(part, crc)
        return crc

    def _text(self, crc: int) -> Generator[None, None, int]:
        """Pass over a text and the zero that ends it, however long; return the checksum."""
        while True:
            yield from self._need()
            part = bytes(self._some(decoder.SLICE))
            text, zero, rest = part.partition(b"\0")
            crc = zlib.crc32(text + zero, crc)
            if zero:
                self._unread(len(rest))
                return crc

    def _between(self, head: bytes) -> Generator[None, None, bool]:
        if head[:1] != b"\0":
            return (yield from super()._between(head))
        if head[1:] in (b"", b"\0"):
            yield from self._skip_zeros()
        else:
            self._unread(1)
        return True
