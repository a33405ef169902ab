"""
How large the next chunk of a resumable upload is: about a second's worth, and never more than
what stands before the proxy lets through. Pure. Bytes and seconds.

A chunk that is cut off may be lost as a whole, where something before the proxy gathers it first:
so chunks shrink when connections break. What a request may carry is found by being refused.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 8 << 20
SMALLEST: Final = 64 << 10
LARGEST: Final = 64 << 20
_WORTH: Final = 1.0
# What nginx lets through unless told otherwise, and what a chunk may lose at most if it does.
_USUAL_LIMIT: Final = 1 << 20


class ChunkSize:
    """Learns from how the chunks before fared."""

    def __init__(self) -> None:
        self.bytes = FIRST
        self._limit = LARGEST

    def went_through(self, size: int, seconds: float) -> None:
        """A chunk arrived."""
        wanted = size * _WORTH / seconds if seconds > 0 else LARGEST
        self.bytes = self._within(min(max(wanted, self.bytes / 2), self.bytes * 2))

    def was_cut(self) -> None:
        """A connection broke amid a chunk."""
        self.bytes = self._within(self.bytes / 2)

    def was_too_large(self, size: int) -> bool:
        """A chunk was refused for its size; whether a smaller one may do."""
        if size <= SMALLEST:
            return False
        usual = size > _USUAL_LIMIT
        self._limit = _USUAL_LIMIT if usual else max(SMALLEST, size // 2)
        self.bytes = self._limit
        return True

    def _within(self, wanted: float) -> int:
        return int(min(max(wanted, SMALLEST), self._limit))
