"""
Runs of host bytes become units: what is fetched and decoded together.

Here: where to cut, how the bytes of one unit turn into writes, and a window over bytes that go by
in pieces. Elsewhere: where runs come from (each format's `tables`), how packed blocks are
unpacked, and who fetches. A block is what one entry of a table maps: a cluster or a grain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias

from cdi.images import errors
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.layout import Buffer, Ranges, Unit, Write

# A gap of this many bytes costs about as much to fetch as another request.
MAX_GAP = 64 << 10

# Guest bytes of one unit, as a multiple of its host bytes: what packs extremely well is still
# spread over threads, and lost in small portions by a crash.
_MAX_EXPANSION = 16

# Progress is looked up in steps of at least this many bytes.
_DONE_STEP = 64 << 10


# Host bytes of a packed block, and its guest offset -> the block. Raises CorruptImage.
Unpack: TypeAlias = Callable[[Buffer, int], Buffer]


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

    def _decode(self, group: list[Run], pieces: Iterable[bytes]) -> Iterator[Write]:
        """Turn the host bytes of a unit into writes, as they come."""
        passing = Passing(group[0][0])
        source = iter(pieces)
        for run in group:
            start, end, guest, kind = run
            passing.forget(start)
            if kind is Kind.PACKED:
                while passing.end < end:
                    passing.add(_next(source, run))
                data = self._unpack(passing.take(start, end), guest)
                yield Write(guest, clipped(data, self._virtual_size - guest))
                continue
            while start < end:
                if passing.end <= start:
                    passing.forget(passing.end)
                    passing.add(_next(source, run))
                for part in passing.parts(start, end):
                    yield Write(guest + start - run[0], part)
                    start += len(part)


def clipped(data: Buffer, length: int) -> Buffer:
    """Cut the disk's last block to the `length` bytes up to the end of the disk."""
    return data if len(data) <= length else memoryview(data)[:length]


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sort ranges and join those that touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _next(source: Iterator[bytes], run: Run) -> bytes:
    piece = next(source, None)
    if piece is None:
        raise errors.TruncatedSource(
            f"the source ended within the data of guest offset {run.guest}, "
            f"at host offset {run.start} to {run.end}"
        )
    return piece


class Passing:
    """The pieces that are at hand, from `start` to `end`."""

    def __init__(self, start: int) -> None:
        self.end = start
        self._pieces: deque[tuple[int, int, memoryview]] = deque()

    def add(self, piece: Buffer) -> None:
        """Take the bytes that follow."""
        if piece:
            after = self.end + len(piece)
            self._pieces.append((self.end, after, memoryview(piece)))
            self.end = after

    def forget(self, before: int) -> None:
        """Let go of pieces that end at or before an offset."""
        pieces = self._pieces
        while pieces and pieces[0][1] <= before:
            pieces.popleft()

    def take(self, start: int, end: int) -> memoryview | bytes:
        """Return the bytes [start, end), all of which are at hand."""
        first, after, piece = self._pieces[0]
        if first <= start and end <= after:
            return piece[start - first : end - first]
        parts = list(self.parts(start, end))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def parts(self, start: int, end: int) -> Iterator[memoryview]:
        """Yield what is at hand of [start, end), as it lies."""
        for first, after, piece in self._pieces:
            if after > start:
                if first >= end:
                    return
                yield piece[max(start - first, 0) : end - first]
