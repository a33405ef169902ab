"""
Maps of sparse files: which parts of a file an archive stores.

Three encodings lead to one checked map: in old GNU headers, in pax records (0.0 and 0.1), and in
front of the data (1.0).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdi.images.formats.tar.block import BLOCK, LARGEST, Header, offset_in
from cdi.images.formats.tar.faults import corrupt, truncated
from cdi.images.formats.tar.tape import Tape

Extents = tuple[tuple[int, int], ...]

_MOST = 1 << 17  # extents: a few tens of megabytes
_PAIR = 24  # bytes in an old header: offset and length
_FIRST_AT, _FIRST = 386, 4
_MORE_AT, _REAL_SIZE = 482, slice(483, 495)
_NEXT, _NEXT_MORE_AT = 21, 504
_LONGEST_NUMBER = 20  # decimal digits


@dataclass(frozen=True, slots=True)
class Map:
    """A sparse file's own size, and what of it is stored."""

    size: int
    extents: Extents


def old_map(header: Header, stored: int, tape: Tape) -> Map:
    """Return the map of an old GNU header, reading on where it goes on in more blocks."""
    at = tape.position - BLOCK
    pairs = list(_pairs(header.raw, _FIRST_AT, _FIRST, at))
    more = header.raw[_MORE_AT]
    while more:
        block = tape.take_up_to(BLOCK)
        if len(block) < BLOCK:
            raise truncated(tape.position)
        pairs += _pairs(block, 0, _NEXT, at)
        if len(pairs) > _MOST:
            raise corrupt(at, "a sparse file is in too many parts")
        more = block[_NEXT_MORE_AT]
    size = offset_in(header.raw[_REAL_SIZE], at)
    return Map(size, checked(pairs, size, stored, at))


def text_map(text: bytes, size: int, stored: int, at: int) -> Map:
    """Return the map in a pax record: offset, length, offset, length and so on."""
    numbers = text.split(b",") if text else []
    if len(numbers) % 2 or len(numbers) > 2 * _MOST:
        raise corrupt(at, "a sparse map is incomplete or too long")
    values = [_decimal(number, at) for number in numbers]
    pairs = zip(values[::2], values[1::2], strict=True)
    return Map(size, checked(pairs, size, stored, at))


def leading_map(tape: Tape, size: int, stored: int) -> tuple[Map, int]:
    """Read the map in front of a file's `stored` bytes; return it and how long it was."""
    at = began = tape.position
    lines = _Lines(tape, stored)
    count = lines.number()
    if count > _MOST:
        raise corrupt(at, "a sparse file is in too many parts")
    pairs = [(lines.number(), lines.number()) for _ in range(count)]
    length = tape.position - began
    return Map(size, checked(pairs, size, stored - length, at)), length


def checked(pairs: Iterable[tuple[int, int]], size: int, stored: int, at: int) -> Extents:
    """Return extents that are in order, inside of the file, and as long as what is stored."""
    found: list[tuple[int, int]] = []
    end = total = 0
    for offset, length in pairs:
        if offset < end or offset + length > size:
            raise corrupt(at, "a sparse map has parts that overlap or lie outside of the file")
        end = offset + length
        total += length
        if not length:
            continue
        if found and sum(found[-1]) == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((offset, length))
    if total != stored:
        raise corrupt(at, f"a sparse map names {total} bytes where {stored} are stored")
    return tuple(found)


class _Lines:
    """Decimal numbers, one a line, in whole blocks of a tape."""

    def __init__(self, tape: Tape, most: int) -> None:
        self._tape, self._left = tape, most
        self._block, self._position = b"", 0

    def number(self) -> int:
        """Return the next one. Raises CorruptImage, TruncatedSource."""
        digits = b""
        while True:
            end = self._block.find(b"\n", self._position)
            stop = end if end >= 0 else len(self._block)
            digits += self._block[self._position : stop]
            if len(digits) > _LONGEST_NUMBER:
                raise corrupt(self._tape.position, "a sparse map holds no numbers")
            if end >= 0:
                self._position = end + 1
                return _decimal(digits, self._tape.position)
            self._advance()

    def _advance(self) -> None:
        if self._left < BLOCK:
            raise corrupt(self._tape.position, "a sparse map is longer than its file")
        self._block, self._position = self._tape.take_up_to(BLOCK), 0
        if len(self._block) < BLOCK:
            raise truncated(self._tape.position)
        self._left -= BLOCK


def _pairs(block: bytes, start: int, count: int, at: int) -> Iterable[tuple[int, int]]:
    for position in range(start, start + count * _PAIR, _PAIR):
        pair = block[position : position + _PAIR]
        if not pair[12]:
            return  # the list ends early
        yield offset_in(pair[:12], at), offset_in(pair[12:], at)


def _decimal(digits: bytes, at: int) -> int:
    if not digits.isdigit() or len(digits) > _LONGEST_NUMBER or int(digits) > LARGEST:
        raise corrupt(at, "a sparse map holds no sensible numbers")
    return int(digits)
