"""
An archive as something that is wound forward: take the next bytes, or skip them.

`Forward` reads pieces that come in order, once. `Ranged` reads where an archive can be read at
random: a little ahead, so that small files cost one request for many, and never what is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cdi.images.formats.tar.faults import truncated
from cdi.images.layout import Reader

_AHEAD = 64 << 10  # bytes read at once: a request costs as much as these


class Tape(Protocol):
    """Bytes in order; `position` counts in the archive."""

    position: int

    def take_up_to(self, count: int) -> bytes:
        """Return the next `count` bytes, which must be few; fewer at the end."""

    def skip(self, count: int) -> None:
        """Go on. Raises TruncatedSource if the archive ends before."""


class Forward:
    """A tape over pieces in order."""

    def __init__(self, pieces: Iterator[bytes], at: int) -> None:
        self.position = at
        self._pieces = pieces
        self._piece = b""
        self._used = 0  # of _piece

    def take_up_to(self, count: int) -> bytes:
        taken: list[bytes] = []
        while count and (some := self.some(count)):
            taken.append(some)
            count -= len(some)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def some(self, most: int) -> bytes:
        """Return what is there without copying if possible, up to `most`; b"" at the end."""
        left = len(self._piece) - self._used
        if not left:
            self._piece, self._used = self._next(), 0
            left = len(self._piece)
        count = min(left, most)
        whole = count == len(self._piece)
        got = self._piece if whole else self._piece[self._used : self._used + count]
        self._used += count
        self.position += count
        return got

    def skip(self, count: int) -> None:
        while count:
            left = len(self._piece) - self._used
            if not left:
                self._piece, self._used = self._next(), 0
                left = len(self._piece)
            if not left:
                raise truncated(self.position)
            gone = min(count, left)
            self._used += gone
            self.position += gone
            count -= gone

    def _next(self) -> bytes:
        for piece in self._pieces:
            if piece:
                return piece
        return b""


class Ranged:
    """A tape over an archive of `size` bytes that can be read at random."""

    def __init__(self, read: Reader, size: int) -> None:
        self.position = 0
        self._read, self._size = read, size
        self._held = b""
        self._held_at = 0

    def take_up_to(self, count: int) -> bytes:
        count = min(count, self._size - self.position)
        start = self.position - self._held_at
        if start < 0 or start + count > len(self._held):
            length = min(max(count, _AHEAD), self._size - self.position)
            self._held, self._held_at = self._read(self.position, length), self.position
            start = 0
        self.position += count
        return self._held[start : start + count]

    def skip(self, count: int) -> None:
        if count > self._size - self.position:
            raise truncated(self._size)
        self.position += count
