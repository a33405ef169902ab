"""
Host bytes that went by before any table had told what they mean.

Here: pieces by offset, in memory. Zeros are remembered as ranges and take no room, since sparse
files are full of them. Elsewhere: how much may be parked, and when it may go (`forward`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from cdi.images.writes import Buffer

_STEP = 4 << 10  # zeros are looked for in steps of this size
_ZEROS = bytes(1 << 20)
_OVERHEAD = 200  # what one piece costs beside its bytes


def is_zero(data: Buffer) -> bool:
    """Return whether there is nothing but zeros in at most 1 MiB."""
    return memoryview(data) == memoryview(_ZEROS)[: len(data)]


class Spill:
    """Parked bytes: sorted pieces that do not overlap, None for zeros."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._pieces: list[bytes | None] = []
        self.bytes = 0  # memory taken

    def __bool__(self) -> bool:
        return bool(self._starts)

    def clear(self) -> None:
        """Forget everything."""
        for column in (self._starts, self._ends, self._pieces):
            column.clear()
        self.bytes = 0

    def park(self, start: int, data: memoryview) -> None:
        """Keep a copy of bytes that lie behind all others."""
        for at in range(0, len(data), len(_ZEROS)):
            part = data[at : at + len(_ZEROS)]
            if is_zero(part):
                self._append(start + at, start + at + len(part), None)
            else:
                self._park_mixed(start + at, part)

    def _park_mixed(self, start: int, data: memoryview) -> None:
        """Keep what is not zero, in as few pieces as possible."""
        held = at = 0  # [held, at) is not zero, and not kept yet
        while at < len(data):
            after = min((start + at) // _STEP * _STEP + _STEP - start, len(data))
            if is_zero(data[at:after]):
                if held < at:
                    self._append(start + held, start + at, bytes(data[held:at]))
                self._append(start + at, start + after, None)
                held = after
            at = after
        if held < at:
            self._append(start + held, start + at, bytes(data[held:at]))

    def _append(self, start: int, end: int, piece: bytes | None) -> None:
        if piece is None and self._pieces and self._pieces[-1] is None and self._ends[-1] == start:
            self._ends[-1] = end
        else:
            self._insert(len(self._starts), start, end, piece)

    def _insert(self, at: int, start: int, end: int, piece: bytes | None) -> None:
        self._starts.insert(at, start)
        self._ends.insert(at, end)
        self._pieces.insert(at, piece)
        self.bytes += len(piece or b"") + _OVERHEAD

    def reach(self, start: int) -> int:
        """Return up to where bytes from `start` on are parked without a gap."""
        at = bisect_right(self._starts, start) - 1
        if at < 0 or self._ends[at] <= start:
            return start
        end = self._ends[at]
        while (at := at + 1) < len(self._starts) and self._starts[at] == end:
            end = self._ends[at]
        return end

    def parts(self, start: int, end: int) -> Iterator[tuple[int, bytes | memoryview]]:
        """Yield (offset, bytes) of what is parked of [start, end), without the zeros."""
        at = max(bisect_right(self._starts, start) - 1, 0)
        while at < len(self._starts) and self._starts[at] < end:
            first, piece = self._starts[at], self._pieces[at]
            if piece is not None and self._ends[at] > start:
                begin = max(first, start)
                yield begin, memoryview(piece)[begin - first : end - first]
            at += 1

    def joined(self, start: int, end: int) -> bytearray:
        """Return the bytes [start, end), all of which are parked."""
        data = bytearray(end - start)
        for offset, part in self.parts(start, end):
            data[offset - start : offset - start + len(part)] = part
        return data

    def release(self, start: int, end: int) -> None:
        """Forget the bytes [start, end)."""
        first = bisect_right(self._ends, start)
        after = bisect_left(self._starts, end)
        if first >= after:
            return
        edges = [
            (self._starts[first], start, self._pieces[first]),
            (end, self._ends[after - 1], self._pieces[after - 1]),
        ]
        low, high = self._starts[first], self._starts[after - 1]
        for piece in self._pieces[first:after]:
            self.bytes -= len(piece or b"") + _OVERHEAD
        del self._starts[first:after]
        del self._ends[first:after]
        del self._pieces[first:after]
        for (begin, stop, piece), base in zip(reversed(edges), (high, low), strict=True):
            if begin < stop:
                kept = piece[begin - base : stop - base] if piece is not None else None
                self._insert(first, begin, stop, kept)

    def items(self) -> Iterator[tuple[int, int, bytes | None]]:
        """Yield (start, end, bytes or None for zeros), in order."""
        yield from zip(self._starts, self._ends, self._pieces, strict=True)

    def put_back(self, start: int, end: int, piece: bytes | None) -> None:
        """Take back what `items` gave, in the same order."""
        self._insert(len(self._starts), start, end, piece)
