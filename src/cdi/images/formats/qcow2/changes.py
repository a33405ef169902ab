"""
What an image of changes says is zero, beside the disk that it builds on.

By itself, what is not mapped is zero too. Elsewhere: what is mapped (`tables`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from cdi.images.formats.qcow2.clusters import COMPRESSED, SUBCLUSTERS, parts
from cdi.images.formats.qcow2.header import Header
from cdi.images.formats.qcow2.tables import ZERO, entries_of
from cdi.images.layout import Ranges, Unit, clearing


def cleared(
    header: Header, tables: Iterable[tuple[memoryview, int]], done: Ranges
) -> Iterator[Unit]:
    """Yield what is left to clear of what L2 tables say; each comes with its first guest offset."""
    for table, guest in tables:
        for start, end in zeros_of(header, entries_of(table), guest):
            if not done.covers(start, end):
                yield clearing(start, end)


def zeros_of(header: Header, entries: array[int], guest: int) -> Iterator[tuple[int, int]]:
    """Yield the guest ranges that consecutive L2 entries call zero, in order, neighbours joined.

    Takes entries that `runs_of` has found sane.
    """
    first = after = 0
    for start, end in _zero_ranges(header, entries, guest):
        if start == after:
            after = end
            continue
        if first < after:
            yield first, after
        first, after = start, end
    if first < (after := min(after, header.virtual_size)):
        yield first, after


def _zero_ranges(header: Header, entries: array[int], guest: int) -> Iterator[tuple[int, int]]:
    size = header.cluster_size
    if header.extended_l2:
        for where, entry, bitmap in zip(
            range(guest, header.virtual_size, size), entries[::2], entries[1::2], strict=False
        ):
            if not entry & COMPRESSED and bitmap >> SUBCLUSTERS:
                for run in parts(size // SUBCLUSTERS, 0, where, bitmap >> SUBCLUSTERS):
                    yield run.guest, run.guest + run.end - run.start
    elif header.version > 2:
        for where, entry in zip(range(guest, header.virtual_size, size), entries, strict=False):
            if entry & ZERO and not entry & COMPRESSED:
                yield where, where + size
