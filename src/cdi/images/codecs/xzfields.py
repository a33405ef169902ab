"""
The fields of the .xz container: parsed, checked by their CRC, and built. No I/O, no state.

Elsewhere: decoding (`xz`), finding blocks from a file's end (`xzindex`). Anything ill-formed
raises `MalformedError`, which the callers turn into CorruptImage with an offset.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

MAGIC = b"\xfd7zXZ\0"
FOOTER_MAGIC = b"YZ"
HEADER_SIZE = FOOTER_SIZE = 12
LZMA2 = 0x21
VLI_BYTES = 9  # 63 bits
BLOCK_HEADER_MAX = 1024


class MalformedError(Exception):
    """A field contradicts the container's format."""


@dataclass(frozen=True, slots=True)
class Footer:
    index_size: int
    check: int


@dataclass(frozen=True, slots=True)
class BlockHeader:
    dictionary: int  # bytes of memory that decoding needs, nearly


def check_size(check: int) -> int:
    """Return the length of a block's check of that kind."""
    return 0 if check == 0 else 4 << (check - 1) // 3


def insist_on_crc(data: bytes | memoryview, crc: bytes | memoryview) -> None:
    if zlib.crc32(data) != int.from_bytes(crc, "little"):
        raise MalformedError("a header's checksum does not match")


def parse_flags(flags: bytes) -> int:
    """Return the kind of check of a stream."""
    if flags[0] or flags[1] > 0x0F:
        raise MalformedError("unknown stream flags")
    return flags[1]


def parse_stream_header(data: bytes) -> int:
    """Return the kind of check that the stream's blocks carry."""
    if data[:6] != MAGIC:
        raise MalformedError("not the start of a stream")
    insist_on_crc(data[6:8], data[8:])
    return parse_flags(data[6:8])


def stream_header(check: int) -> bytes:
    """Build the header of a stream whose blocks carry that kind of check."""
    flags = bytes([0, check])
    return MAGIC + flags + zlib.crc32(flags).to_bytes(4, "little")


def parse_footer(data: bytes) -> Footer:
    if data[10:] != FOOTER_MAGIC:
        raise MalformedError("not the end of a stream")
    insist_on_crc(data[4:10], data[:4])
    return Footer((int.from_bytes(data[4:8], "little") + 1) * 4, parse_flags(data[8:10]))


def parse_vli(data: bytes, position: int) -> tuple[int, int]:
    """Return the variable-length integer at `position`, and where it ends."""
    value = 0
    for count in range(VLI_BYTES):
        if position + count >= len(data):
            break
        byte = data[position + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0 and count:
                break
            return value, position + count + 1
    raise MalformedError("an ill-formed number")


def parse_block_header(data: bytes) -> BlockHeader:
    """Read what must be known of a whole block header: that LZMA2 is last, and its memory."""
    insist_on_crc(data[:-4], data[-4:])
    flags, position = data[1], 2
    if flags & 0x3C:
        raise MalformedError("unknown block flags")
    for present in (0x40, 0x80):
        if flags & present:
            _, position = parse_vli(data, position)
    kind, properties = 0, b""
    for _ in range((flags & 3) + 1):
        kind, position = parse_vli(data, position)
        size, position = parse_vli(data, position)
        properties = data[position : position + size]
        position += size
    if position > len(data) - 4 or kind != LZMA2 or len(properties) != 1 or properties[0] > 40:
        raise MalformedError("a block that is not LZMA2")
    bits = properties[0]
    return BlockHeader((1 << 32) - 1 if bits == 40 else (2 | bits & 1) << bits // 2 + 11)


def parse_index(data: bytes) -> list[tuple[int, int]]:
    """Return (length without padding, uncompressed length) of each block of a stream."""
    insist_on_crc(data[:-4], data[-4:])
    body = data[:-4]
    count, position = parse_vli(body, 1)
    if body[0] or count > len(body) // 2:
        raise MalformedError("an ill-formed index")
    records = []
    for _ in range(count):
        unpadded, position = parse_vli(body, position)
        uncompressed, position = parse_vli(body, position)
        if unpadded < 5:  # a block header and the end of its data
            raise MalformedError("a block of an impossible size")
        records.append((unpadded, uncompressed))
    if len(body) - position > 3 or any(body[position:]):
        raise MalformedError("an ill-formed index")
    return records
