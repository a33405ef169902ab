"""
Tables name runs of host bytes, and these become units: what is fetched and decoded together.

Here: tables read at random, those that lie near each other in one read and the others side by side;
which places of the file are taken, so that nothing is taken twice; where runs are cut, and how the
bytes of one unit turn into writes. Elsewhere: what the entries of tables mean (each format's
`tables`), how packed blocks are unpacked, and who fetches. A block is what one entry of a table
maps: a cluster or a grain.

Raises TruncatedSource, and whatever the reader raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

from cdi.images import errors
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.layout import Ranges, Reader, Unit
from cdi.images.passing import Passing
from cdi.images.writes import Buffer, Write, clipped

READ_BYTES = 1 << 20  # near tables are fetched in one read up to this length

_CHUNK_BITS = 13
_CHUNK = 1 << _CHUNK_BITS  # places in one number
_FULL = (1 << _CHUNK) - 1

Part: TypeAlias = tuple[int, int, int]  # host offset and length of (part of) a table, a mark of it

# A gap of this many bytes costs about as much to fetch as another request.
MAX_GAP = 64 << 10

# Guest bytes of one unit, as a multiple of its host bytes: what packs extremely well is still
# spread over threads, and lost in small portions by a crash.
_MAX_EXPANSION = 16

# Progress is looked up in steps of at least this many bytes.
_DONE_STEP = 64 << 10


# Host bytes of a packed block, and its guest offset -> the block. Raises CorruptImage.
Unpack: TypeAlias = Callable[[Buffer, int], Buffer]


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
                part[0] - (last[-1][0] + last[-1][1]) <= MAX_GAP
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


class Cutter:
    """Cuts the runs of one disk, in blocks of `block` bytes, into units."""

    def __init__(self, block: int, virtual_size: int, unpack: Unpack, unit_bytes: int) -> None:
        self._block = block
        self._virtual_size = virtual_size
        self._unpack = unpack
        self._unit = max(unit_bytes, block)

    def units(self, runs: Iterable[Run], done: Ranges) -> Iterator[Unit]:
        """Yield units for runs that are sorted by place."""
        group: list[Run] = []
        covers: list[tuple[int, int]] = []
        end = gained = 0
        most = self._unit * _MAX_EXPANSION
        for run in self._pieces(runs, done):
            start, after, guest, kind = run
            length = self._packed_length(guest) if kind is Kind.PACKED else after - start
            if group and (
                start - end > MAX_GAP or after - group[0][0] > self._unit or gained + length > most
            ):
                yield Unit(group[0][0], end, merged(covers), partial(self._decode, group))
                group, covers, gained, end = [], [], 0, 0
            group.append(run)
            covers.append((guest, guest + length))
            gained += length
            if after > end:
                end = after
        if group:
            yield Unit(group[0][0], end, merged(covers), partial(self._decode, group))

    def _packed_length(self, guest: int) -> int:
        """Return how many guest bytes a packed block gives: the last one may give fewer."""
        return min(self._block, self._virtual_size - guest)

    def _pieces(self, runs: Iterable[Run], done: Ranges) -> Iterator[Run]:
        """Leave out what is done, and cut plain runs that are longer than a unit."""
        for run in runs:
            start, end, guest, kind = run
            if kind is Kind.PACKED:
                if not done.covers(guest, guest + self._packed_length(guest)):
                    yield run
            elif kind is not Kind.HELD and not done.covers(guest, guest + end - start):
                if end - start <= max(self._block, _DONE_STEP):
                    yield run
                else:
                    yield from self._plain_pieces(run, done)

    def _plain_pieces(self, run: Run, done: Ranges) -> Iterator[Run]:
        """Cut at multiples of the steps on the disk, so that every attempt cuts alike."""
        step = max(self._block, _DONE_STEP)
        shift = run.start - run.guest
        last = run.guest + run.end - run.start
        start = guest = run.guest
        while guest < last:
            after = min((guest // step + 1) * step, last)
            if done.covers(guest, after):
                if start < guest:
                    yield Run(start + shift, guest + shift, start, run.kind)
                start = after
            elif after - start >= self._unit:
                yield Run(start + shift, after + shift, start, run.kind)
                start = after
            guest = after
        if start < last:
            yield Run(start + shift, last + shift, start, run.kind)

    def _decode(self, group: list[Run], pieces: Iterable[Buffer]) -> Iterator[Write]:
        """Turn the host bytes of a unit into writes, as they come."""
        passing = Passing(group[0].start, pieces)
        for start, end, guest, kind in group:
            if kind is Kind.PACKED:
                passing.forget(start)
                data = self._unpack(passing.take(start, end), guest)
                yield Write(guest, clipped(data, self._virtual_size - guest))
                continue
            at = guest
            for part in passing.arriving(start, end):
                yield Write(at, part)
                at += len(part)


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sort ranges and join those that touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
