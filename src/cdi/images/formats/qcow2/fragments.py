"""
The bytes of a file that compressed clusters have taken, which are no whole host clusters.

Raises CorruptImage, naming the guest offset, where bytes are taken twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NoReturn

from cdi.images import errors
from cdi.images.formats.qcow2.clusters import SECTOR
from cdi.images.formats.tabled.runs import Run
from cdi.images.formats.tabled.units import Bitmap

# Compressed runs that do not touch each other, of which this many are told apart. Programs write
# compressed clusters one behind the other, so real images have a few thousand at most.
_MAX_FRAGMENTS = 1 << 18


class Fragments:
    """Compressed bytes that have an owner, in sorted fragments."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def claim(self, packed: list[Run], bits: int, owned: Bitmap, shared: Bitmap) -> None:
        """Add compressed clusters, and to `shared` the host clusters of 2^bits bytes they are in.

        None of those may be `owned` as a whole.
        """
        for first, after, run in clusters_of(packed, bits):
            if owned.meets(first, after):
                refuse(run)
            shared.add(first, after)
        self.add(packed)

    def add(self, packed: list[Run]) -> None:
        """Add the bytes of compressed clusters, joining what touches. Sorted by place."""
        fragments: list[tuple[int, int, Run]] = []
        for run in packed:
            end = owned_end(run)
            if fragments and run[0] < fragments[-1][1]:
                refuse(run)
            # Up to a sector apart counts as touching, for lengths are known in sectors only.
            if fragments and run[0] - fragments[-1][1] <= SECTOR:
                fragments[-1] = (fragments[-1][0], end, run)
            else:
                fragments.append((run[0], end, run))
        for start, end, run in fragments:
            self._insert(start, end, run)

    def _insert(self, start: int, end: int, run: Run) -> None:
        at = bisect_right(self._starts, start)
        if end - start < SECTOR and at and self._ends[at - 1] > start:
            return  # fits between two clusters of a fragment, of which the ends are not known
        if (at and self._ends[at - 1] > start) or (
            at < len(self._starts) and self._starts[at] < end
        ):
            refuse(run)
        if at and start - self._ends[at - 1] <= SECTOR:
            self._ends[at - 1] = end
        elif len(self._starts) < _MAX_FRAGMENTS:
            self._starts.insert(at, start)
            self._ends.insert(at, end)


def clusters_of(packed: list[Run], bits: int) -> Iterator[tuple[int, int, Run]]:
    """Yield the host clusters of compressed ones, joined, each with a run that is in them."""
    start = end = 0
    for run in packed:
        if run[0] >> bits >= end:
            yield start, end, run
            start = run[0] >> bits
        end = max(end, -(-run[1] >> bits))
    yield start, end, packed[-1]


def owned_end(run: Run) -> int:
    """Return where the bytes end that a compressed cluster has for itself.

    Its length is stored in sectors, and the next one may begin within its last sector.
    """
    end = run[1] - (SECTOR - 1)
    return end if end > run[0] else run[0] + 1


def refuse(run: Run) -> NoReturn:
    """Raise CorruptImage for a run in bytes that have an owner."""
    raise errors.CorruptImage(
        f"guest offset {run[2]} is mapped to host offset {run[0]}, which is in use already"
    )


def refuse_met(
    runs: Iterable[Run], first: int, after: int, bits: int, taken: tuple[Bitmap, ...]
) -> None:
    """Refuse the run that meets what is `taken` of the host clusters [first, after)."""
    for run in runs:
        place = max(run[0] >> bits, first), min(-(-run[1] >> bits), after)
        if any(each.meets(*place) for each in taken):
            refuse(run)
