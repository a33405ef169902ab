"""
Tables read at random: those that lie near each other in one read, the others side by side; and
which places of the file they have taken, so that nothing is taken twice.

Raises TruncatedSource, and whatever the reader raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from cdi.images import errors
from cdi.images.layout import Reader

READ_BYTES = 1 << 20  # near tables are fetched in one read up to this length
_MAX_GAP = 64 << 10

_CHUNK_BITS = 13
_CHUNK = 1 << _CHUNK_BITS  # places in one number
_FULL = (1 << _CHUNK) - 1

Part: TypeAlias = tuple[int, int, int]  # host offset and length of (part of) a table, a mark of it


class Tables:
    """Reads tables. With `readers` above 1, that many threads call the reader at a time.

    Each table that lies by itself costs a round trip.
    """

    def __init__(self, reader: Reader, readers: int) -> None:
        self._reader = reader
        self._readers = readers

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes."""
        data = self._reader(offset, length)
        if len(data) != length:
            raise errors.TruncatedSource(
                f"{length} bytes of a table were asked for at {offset}, {len(data)} came"
            )
        return data

    def fetch(self, parts: list[Part]) -> Iterator[tuple[memoryview, int]]:
        """Yield the bytes of each part with its mark, in the order of the file."""
        groups: list[list[Part]] = []
        for part in sorted(parts):
            last = groups[-1] if groups else None
            if last and (
                part[0] - (last[-1][0] + last[-1][1]) <= _MAX_GAP
                and part[0] + part[1] - last[0][0] <= READ_BYTES
            ):
                last.append(part)
            else:
                groups.append([part])
        for group, data in zip(groups, self._read_all(groups), strict=True):
            view = memoryview(data)
            for offset, length, mark in group:
                at = offset - group[0][0]
                yield view[at : at + length], mark

    def _read_all(self, groups: list[list[Part]]) -> Iterator[bytes]:
        spans = [(group[0][0], group[-1][0] + group[-1][1] - group[0][0]) for group in groups]
        if self._readers == 1 or len(spans) == 1:
            yield from (self.read(offset, length) for offset, length in spans)
            return
        with ThreadPoolExecutor(self._readers, "tables") as pool:
            yield from pool.map(lambda span: self.read(*span), spans)


class Bitmap:
    """Which places of a file are taken, kept as one number for every 8192 of them.

    A place is a cluster or a sector, as the format counts. Memory is one bit for each at worst,
    next to nothing where places are taken in long runs.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, int] = {}

    def add(self, first: int, after: int) -> bool:
        """Add the places [first, after); return whether none of them was in the set."""
        free = True
        while first < after:
            chunk, low = first >> _CHUNK_BITS, first & (_CHUNK - 1)
            high = min(after - (chunk << _CHUNK_BITS), _CHUNK)
            mask = (1 << high) - (1 << low)
            before = self._chunks.get(chunk, 0)
            free = free and not before & mask
            both = before | mask
            self._chunks[chunk] = _FULL if both == _FULL else both
            first += high - low
        return free

    def meets(self, first: int, after: int) -> bool:
        """Return whether any of the places [first, after) is in the set."""
        while first < after:
            chunk, low = first >> _CHUNK_BITS, first & (_CHUNK - 1)
            high = min(after - (chunk << _CHUNK_BITS), _CHUNK)
            if self._chunks.get(chunk, 0) & ((1 << high) - (1 << low)):
                return True
            first += high - low
        return False
