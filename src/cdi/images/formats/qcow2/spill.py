"""
Host bytes that went by before any table had told what they mean.

Here: pieces by offset, in memory, or in a room elsewhere where there is one. Zeros are remembered
as ranges and take no room, since sparse files are full of them. Elsewhere: how much may be parked,
and when it may go (`walk`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from cdi.images.layout import Room
from cdi.images.writes import Buffer

_STEP = 4 << 10  # zeros are looked for in steps of this size
_ZEROS = bytes(1 << 20)
_OVERHEAD = 200  # what one piece costs beside its bytes
_ELSEWHERE = b""  # the piece that is in the room


def is_zero(data: Buffer) -> bool:
    """Return whether there is nothing but zeros in at most 1 MiB."""
    return memoryview(data) == memoryview(_ZEROS)[: len(data)]


class Spill:
    """Parked bytes: sorted pieces that do not overlap, None for zeros."""

    def __init__(self) -> None:
        self.room: Room | None = None
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._pieces: list[bytes | None] = []
        self.bytes = 0  # memory taken

    def __bool__(self) -> bool:
        return bool(self._starts)

    @property
    def is_elsewhere(self) -> bool:
        """Whether anything is in the room."""
        return _ELSEWHERE in self._pieces

    def clear(self) -> None:
        """Forget everything."""
        for start, end, piece in self.items():
            self._free(start, end, piece)
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

    def move_out(self) -> None:
        """Let the room have what is in memory, if there is one. Raises NoSpace."""
        if self.room is None:
            return
        held = list(self.items())
        for column in (self._starts, self._ends, self._pieces):
            column.clear()
        self.bytes = 0
        for start, end, piece in held:
            if piece:
                self.room.put(start, piece)
            self._append(start, end, None if piece is None else _ELSEWHERE)

    def _free(self, start: int, end: int, piece: bytes | None) -> None:
        if self.room is not None and piece == _ELSEWHERE:
            self.room.free(start, end)

    def _append(self, start: int, end: int, piece: bytes | None) -> None:
        takes_no_room = piece is None or piece == _ELSEWHERE
        if takes_no_room and self._pieces and self._ends[-1] == start and self._pieces[-1] == piece:
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
                begin, stop = max(first, start), min(self._ends[at], end)
                if piece == _ELSEWHERE:
                    yield from self._fetched(begin, stop)
                else:
                    yield begin, memoryview(piece)[begin - first : stop - first]
            at += 1

    def _fetched(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        if self.room is None:
            raise RuntimeError("what is parked elsewhere cannot be had without that room")
        for at in range(start, end, len(_ZEROS)):
            yield at, self.room.get(at, min(len(_ZEROS), end - at))

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
        for index in range(first, after):
            piece = self._pieces[index]
            self.bytes -= len(piece or b"") + _OVERHEAD
            self._free(max(self._starts[index], start), min(self._ends[index], end), piece)
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
