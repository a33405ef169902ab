"""
Host bytes that go by in pieces, and parts of them by offset.

Here: a window over consecutive pieces. A part in one piece is a view of it; only a part that
straddles pieces is put together. Elsewhere: what the bytes mean. Offsets are in the image file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from cdi.images.layout import Buffer


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
