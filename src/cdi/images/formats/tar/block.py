"""
One header block: 512 bytes that name an entry. Facts: POSIX.1 `pax`, and GNU tar's manual.

Every number is checked here; what the numbers mean together is `walk`'s business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cdi.images.formats.tar.faults import corrupt

BLOCK: Final = 512
LARGEST: Final = 1 << 62  # no file is larger; keeps every sum of two within 64 bits

_CHECKSUM = slice(148, 156)
_POSIX_MAGIC, _GNU_MAGIC = b"ustar\0", b"ustar "
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*\Z")
_NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one block. Names as bytes; `mtime` in nanoseconds."""

    name: bytes
    flag: bytes  # one byte
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    raw: bytes


def matches(head: bytes) -> bool:
    """Whether bytes begin with a header of whatever tar, for certain: its checksum fits."""
    block = head[:BLOCK]
    return len(block) == BLOCK and any(block) and _sums(block)


def parse_header(block: bytes, at: int) -> Header:
    """Return the fields of a block that lies at offset `at`. Raises CorruptImage."""
    if not _sums(block):
        raise corrupt(at, "a header's checksum is wrong")
    size = _number(block[124:136], "size", at)
    if not 0 <= size <= LARGEST:
        raise corrupt(at, f"an entry claims {size} bytes")
    mtime = _number(block[136:148], "time", at)
    if abs(mtime) > LARGEST:
        raise corrupt(at, f"an entry is of second {mtime}")
    return Header(
        name=_name(block),
        flag=block[156:157],
        mode=_number(block[100:108], "mode", at) & 0o7777,
        uid=_number(block[108:116], "uid", at),
        gid=_number(block[116:124], "gid", at),
        size=size,
        mtime=mtime * _NANOSECONDS,
        link=_text(block[157:257]),
        raw=block,
    )


def offset_in(field: bytes, at: int) -> int:
    """Return an offset or a length out of a header. Raises CorruptImage."""
    number = _number(field, "sparse map", at)
    if not 0 <= number <= LARGEST:
        raise corrupt(at, f"a sparse map names byte {number}")
    return number


def _sums(block: bytes) -> bool:
    found = _OCTAL.match(block[_CHECKSUM])
    if found is None or not found[1]:
        return False
    want = int(found[1], 8)
    # The checksum counts as eight spaces in its own sum. Some old writers added signed bytes.
    rest = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    unsigned = sum(rest)
    return want == unsigned or want == unsigned - 256 * sum(byte > 127 for byte in rest)


def _number(field: bytes, what: str, at: int) -> int:
    """Return a number in octal digits, or in base 256 as GNU writes large and negative ones."""
    if field[0] & 0x80:
        sign = field[0] & 0x40
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if sign else value
    found = _OCTAL.match(field)
    if found is None:
        # Fields may be cut by a NUL, with anything behind it.
        found = _OCTAL.match(field.split(b"\0")[0])
    if found is None:
        raise corrupt(at, f"the {what} of an entry is no number")
    return int(found[1] or b"0", 8)


def _name(block: bytes) -> bytes:
    name = _text(block[:100])
    if block[257:263] != _POSIX_MAGIC:
        return name  # GNU keeps other things where the prefix would be
    star = block[508:512] == b"tar\0"
    prefix = _text(block[345 : 476 if star else 500])
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]
