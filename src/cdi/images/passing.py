"""
Bytes that go by in pieces, read in ranges. Offsets count where the bytes come from.

Nothing is copied that need not be: a piece that lies within a range is passed on as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from cdi.images import errors
from cdi.images.layout import OVERLAP
from cdi.images.writes import Buffer


class Passing:
    """The pieces that are at hand, up to `end`. Ranges are asked for in order."""

    def __init__(self, start: int, pieces: Iterable[Buffer] = ()) -> None:
        """`pieces` begin at `start`, and are read when they are needed; others are added."""
        self.end = start
        self._coming = iter(pieces)
        self._pieces: deque[tuple[int, int, Buffer]] = deque()

    def add(self, piece: Buffer) -> None:
        """Take the bytes that follow."""
        if piece:
            after = self.end + len(piece)
            self._pieces.append((self.end, after, piece))
            self.end = after

    def forget(self, before: int) -> None:
        """Let go of pieces that end at or before an offset."""
        pieces = self._pieces
        while pieces and pieces[0][1] <= before:
            pieces.popleft()

    def take(self, start: int, end: int) -> Buffer:
        """Return the bytes [start, end). Raises TruncatedSource where there are fewer."""
        while self.end < end:
            self._read_on(end)
        first, after, piece = self._pieces[0]
        if first <= start and end <= after:
            return memoryview(piece)[start - first : end - first]
        parts = list(self.parts(start, end))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def parts(self, start: int, end: int) -> Iterator[Buffer]:
        """Yield what is at hand of [start, end), as it lies."""
        for first, after, piece in self._pieces:
            if after > start:
                if first >= end:
                    return
                if start <= first and after <= end:
                    yield piece
                else:
                    yield memoryview(piece)[max(start - first, 0) : end - first]

    def arriving(self, start: int, end: int) -> Iterator[Buffer]:
        """Yield [start, end) as it comes, and keep of what has passed the last OVERLAP bytes.

        Raises TruncatedSource where there are fewer bytes.
        """
        if start < (self._pieces[0][0] if self._pieces else self.end):
            raise ValueError("a range begins too far before the end of the one before")
        while start < end:
            if self.end <= start:
                tail = b"".join(self.parts(self.end - OVERLAP, self.end))
                self._pieces = deque([(self.end - len(tail), self.end, tail)])
                self._read_on(end)
            for part in self.parts(start, end):
                yield part
                start += len(part)

    def _read_on(self, end: int) -> None:
        piece = next(self._coming, None)
        if piece is None:
            raise errors.TruncatedSource(
                f"the source ended at byte {self.end}, before it should: byte {end} is needed"
            )
        self.add(piece)
