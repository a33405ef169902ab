"""
What the entries of L1 and L2 tables mean, and who owns which host bytes.

Here: entries in, runs of host bytes out; every bit is checked, and no byte is claimed twice.
Elsewhere: where tables are fetched from (`ranged`, `walk`), clusters that are compressed or in
parts (`clusters`, `fragments`). Raises CorruptImage, naming the guest offset.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cached_property

from cdi.images import errors
from cdi.images.formats.qcow2 import clusters, fragments
from cdi.images.formats.qcow2.clusters import COMPRESSED, OFFSET_MASK, packed
from cdi.images.formats.qcow2.header import Header
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.formats.tabled.units import Bitmap
from cdi.images.writes import Buffer

_L1_RESERVED = 0x7F00_0000_0000_01FF
ZERO = 1


def entries_of(table: Buffer) -> array[int]:
    """Decode the 64-bit big-endian numbers of a table."""
    numbers = array("Q")
    numbers.frombytes(table)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def l2_offset(header: Header, index: int, entry: int) -> int:
    """Return the host offset of the L2 table that an L1 entry names; 0 for none."""
    offset = entry & OFFSET_MASK
    if entry & _L1_RESERVED or offset & (header.cluster_size - 1):
        raise errors.CorruptImage(
            f"L1 entry {index} (guest offset {index * header.l2_span}) is {entry:#x}: "
            "reserved bits are set, or its L2 table is not aligned to a cluster"
        )
    return offset


def runs_of(header: Header, entries: array[int], guest: int) -> list[Run]:
    """Decode consecutive L2 entries, of which the first maps the guest offset `guest`.

    Runs come in guest order; plain clusters that follow each other in the file and on the disk
    are joined. What lies beyond the end of the disk is left out.
    """
    step = header.entry_bytes // 8
    count = min(len(entries) // step, -(-(header.virtual_size - guest) // header.cluster_size))
    if header.extended_l2:
        runs = clusters.extended_runs(header, entries, guest, count)
    else:
        runs = _standard_runs(header, entries, guest, count)
    if guest + count * header.cluster_size > header.virtual_size:
        runs = [part for run in runs for part in clusters.within_disk(header, run)]
    return runs


def _standard_runs(header: Header, entries: array[int], guest: int, count: int) -> list[Run]:
    runs: list[Run] = []
    size = header.cluster_size
    # Anything but a plain allocated cluster has one of these bits.
    special = ~OFFSET_MASK & ~(1 << 63) | (size - 1)
    zero = 0 if header.version == 2 else ZERO
    start = end = first = 0
    for index, entry in enumerate(entries[:count] if count < len(entries) else entries):
        if not entry:
            continue
        where = guest + index * size
        if not entry & special:
            offset = entry & OFFSET_MASK
            if offset == end and where - first == end - start and offset:
                end += size
                continue
            if end:
                runs.append(Run(start, end, first, Kind.PLAIN))
            start, end, first = offset, offset + size, where
            if not offset:
                start, end = clusters.refuse(where, entry)
        elif entry & COMPRESSED:
            runs.append(packed(header, entry, where))
        elif entry & zero and not entry & special & ~ZERO:
            if offset := entry & OFFSET_MASK:
                runs.append(Run(offset, offset + size, where, Kind.HELD))
        else:
            clusters.refuse(where, entry)
    if end:
        runs.append(Run(start, end, first, Kind.PLAIN))
    return runs


class Claims:
    """The host bytes of one file that have an owner: no byte of a sane image is used twice.

    Without them, tables could loop, name themselves as data, or map a small file many times over.
    Memory is one bit per host cluster at worst, next to nothing where clusters are in long runs.
    """

    def __init__(self, cluster_bits: int) -> None:
        self._bits = cluster_bits
        self._owned = Bitmap()  # by a table, or by one plain cluster
        self._shared = Bitmap()  # by compressed clusters

    @cached_property
    def _fragments(self) -> fragments.Fragments:
        return fragments.Fragments()

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
                fragments.refuse(run)
            if start > after:
                self._own(first, after, runs)
                first = start
            after = (run[1] + round_up) >> bits
        self._own(first, after, runs)
        if packed:
            self._fragments.claim(packed, bits, self._owned, self._shared)

    def _own(self, first: int, after: int, runs: Sequence[Run]) -> None:
        if self._owned.meets(first, after) or self._shared.meets(first, after):
            fragments.refuse_met(runs, first, after, self._bits, (self._owned, self._shared))
        self._owned.add(first, after)

    def _after(self, end: int) -> int:
        return -(-end >> self._bits)
