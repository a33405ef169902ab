"""
Who owns which host bytes: no byte of a sane image is used twice.

Here: sets of claimed clusters, and one of claimed compressed bytes. Without them, tables could
loop, name themselves as data, or map a small file many times over. Memory is one bit per host
cluster at worst, next to nothing where clusters are in long runs.
Raises CorruptImage, naming the guest offset.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NoReturn

from cdi.images import errors
from cdi.images.formats.qcow2.tables import SECTOR
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.formats.tabled.units import Bitmap

# Compressed runs that do not touch each other, of which this many are told apart. Programs write
# compressed clusters one behind the other, so real images have a few thousand at most.
_MAX_FRAGMENTS = 1 << 18


class Claims:
    """The host bytes of one file that have an owner."""

    def __init__(self, cluster_bits: int) -> None:
        self._bits = cluster_bits
        self._owned = Bitmap()  # by a table, or by one plain cluster
        self._shared = Bitmap()  # by compressed clusters
        self._starts: list[int] = []  # compressed bytes, as sorted fragments
        self._ends: list[int] = []

    def table(self, name: str, start: int, length: int) -> None:
        """Claim the clusters of a table."""
        if not self._owned.add(start >> self._bits, self._after(start + length)):
            raise errors.CorruptImage(f"the {name} at {start} overlaps another table")

    def runs(self, runs: Sequence[Run]) -> None:
        """Claim the host bytes of runs, which are sorted by place."""
        packed = [run for run in runs if run[3] is Kind.PACKED]
        bits, round_up = self._bits, (1 << self._bits) - 1
        first = after = 0  # neighbouring clusters are claimed together
        for run in runs:
            if run[3] is Kind.PACKED or run[3] is Kind.PART:
                continue
            start = run[0] >> bits
            if start < after:
                _refuse(run)
            if start > after:
                self._own(first, after, runs)
                first = start
            after = (run[1] + round_up) >> bits
        self._own(first, after, runs)
        if packed:
            self._clusters_of_packed(packed)
            self._merge(packed)

    def _own(self, first: int, after: int, runs: Sequence[Run]) -> None:
        if self._owned.meets(first, after) or self._shared.meets(first, after):
            for run in runs:
                place = max(run[0] >> self._bits, first), min(self._after(run[1]), after)
                if self._owned.meets(*place) or self._shared.meets(*place):
                    _refuse(run)
        self._owned.add(first, after)

    def _after(self, end: int) -> int:
        return -(-end >> self._bits)

    def _clusters_of_packed(self, packed: list[Run]) -> None:
        start = end = 0
        for run in packed:
            if run[0] >> self._bits >= end:
                self._share(start, end, run)
                start = run[0] >> self._bits
            end = max(end, self._after(run[1]))
        self._share(start, end, packed[-1])

    def _share(self, first: int, after: int, run: Run) -> None:
        if self._owned.meets(first, after):
            _refuse(run)
        self._shared.add(first, after)

    def _merge(self, packed: list[Run]) -> None:
        """Add compressed bytes to the fragments, joining what touches."""
        fragments: list[tuple[int, int, Run]] = []
        for run in packed:
            end = owned_end(run)
            if fragments and run[0] < fragments[-1][1]:
                _refuse(run)
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
            _refuse(run)
        if at and start - self._ends[at - 1] <= SECTOR:
            self._ends[at - 1] = end
        elif len(self._starts) < _MAX_FRAGMENTS:
            self._starts.insert(at, start)
            self._ends.insert(at, end)


def owned_end(run: Run) -> int:
    """Return where the bytes end that a compressed cluster has for itself.

    Its length is stored in sectors, and the next one may begin within its last sector.
    """
    end = run[1] - (SECTOR - 1)
    return end if end > run[0] else run[0] + 1


def _refuse(run: Run) -> NoReturn:
    raise errors.CorruptImage(
        f"guest offset {run[2]} is mapped to host offset {run[0]}, which is in use already"
    )
