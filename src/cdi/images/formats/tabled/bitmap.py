"""
Which places of a file are taken: a set of small numbers, dense in long runs.

A place is a cluster or a sector, as the format counts. Memory is one bit for each at worst, next
to nothing where places are taken in long runs.
"""

from __future__ import annotations

_CHUNK_BITS = 13
_CHUNK = 1 << _CHUNK_BITS  # places in one number
_FULL = (1 << _CHUNK) - 1


class Bitmap:
    """A set of places, kept as one number for every 8192 of them."""

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
