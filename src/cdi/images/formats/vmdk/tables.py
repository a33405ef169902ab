"""
What the entries of grain tables and of the grain directory mean.

Pure functions: entries in, runs of host bytes out. Raises CorruptImage, naming the guest offset.
"""

from __future__ import annotations

import sys
from array import array

from cdi.images import errors
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.formats.vmdk.header import SECTOR, Header
from cdi.images.formats.vmdk.markers import longest
from cdi.images.writes import Buffer

ZERO_GRAIN = 1  # a table entry that says: zeros, no data; only if the header's flag is set


def entries_of(table: Buffer) -> array[int]:
    """Decode the 32-bit numbers of a table: sectors of the file."""
    numbers = array("I")
    numbers.frombytes(table)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def mapped(header: Header, entry: int) -> bool:
    """Whether an entry names a grain. Raises CorruptImage where it names something else."""
    if not entry or (entry == ZERO_GRAIN and header.zeroed):
        return False
    if entry < header.first_grain:
        raise errors.CorruptImage(f"the VMDK maps a grain into its own tables, at sector {entry}")
    return True


def runs_of(header: Header, entries: array[int], guest: int) -> list[Run]:
    """Decode a grain table, whose first entry maps the guest offset `guest`.

    Runs come in guest order; grains that follow each other in the file and on the disk are
    joined. A compressed grain's end is the farthest it can have. What lies beyond the end of
    the disk is left out.
    """
    count = min(header.entries, -(-(header.virtual_size - guest) // header.grain_bytes))
    if header.compressed:
        return _packed_runs(header, entries[:count], guest)
    runs = _plain_runs(header, entries[:count], guest)
    if runs and (over := runs[-1].guest + runs[-1].end - runs[-1].start - header.virtual_size) > 0:
        runs[-1] = runs[-1]._replace(end=runs[-1].end - over)
    return runs


def _packed_runs(header: Header, entries: array[int], guest: int) -> list[Run]:
    most, size = longest(header), header.grain_bytes
    return [
        Run(sector * SECTOR, sector * SECTOR + most, guest + index * size, Kind.PACKED)
        for index, sector in enumerate(entries)
        if mapped(header, sector)
    ]


def _plain_runs(header: Header, entries: array[int], guest: int) -> list[Run]:
    runs: list[Run] = []
    size, least = header.grain_bytes, header.first_grain
    start = end = first = 0
    for index, sector in enumerate(entries):
        if sector < least and not mapped(header, sector):
            continue
        place, where = sector * SECTOR, guest + index * size
        if place == end and where - first == end - start:
            end += size
            continue
        if end:
            runs.append(Run(start, end, first, Kind.PLAIN))
        start, end, first = place, place + size, where
    if end:
        runs.append(Run(start, end, first, Kind.PLAIN))
    return runs
