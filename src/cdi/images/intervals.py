"""
A set of byte ranges, for "which part of the disk is complete".

Ranges are half open, [start, end), and kept sorted, disjoint and joined, so that a disk written
mostly in order needs a handful of numbers. Not safe for several threads at once: the owner locks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """A mutable set of bytes, given and told as ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._edges: list[int] = []  # start, end, start, end, ... strictly ascending
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Put [start, end) into the set."""
        if start >= end:
            return
        edges = self._edges
        low = bisect_left(edges, start)
        high = bisect_right(edges, end)
        # An odd index lies inside a range, whose own edge there serves instead of ours.
        fresh = ([] if low % 2 else [start]) + ([] if high % 2 else [end])
        edges[low:high] = fresh

    def covers(self, start: int, end: int) -> bool:
        """Whether all of [start, end) is in the set."""
        if start >= end:
            return True
        index = bisect_right(self._edges, start)
        return index % 2 == 1 and self._edges[index] >= end

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of [start, end) that are not in the set, in order."""
        at = start
        for low, high in self.within(start, end):
            if at < low:
                yield at, low
            at = high
        if at < end:
            yield at, end

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of [start, end) that are in the set, in order."""
        index = bisect_right(self._edges, start) & ~1
        while index < len(self._edges) and self._edges[index] < end:
            low, high = max(self._edges[index], start), min(self._edges[index + 1], end)
            if low < high:
                yield low, high
            index += 2

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._edges[::2], self._edges[1::2], strict=True)))

    def __len__(self) -> int:
        return len(self._edges) // 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self._edges == other._edges

    def __hash__(self) -> int:
        raise TypeError("Intervals is mutable")

    def __repr__(self) -> str:
        return f"Intervals({list(self)!r})"
