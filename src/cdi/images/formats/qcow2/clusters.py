"""
What L2 entries mean that are not plain: compressed clusters, subclusters, nonsense.

Here: entries in, runs of host bytes out; every bit is checked. Elsewhere: the usual ones
(`tables`), what packed bytes hold (`packing`). Pure functions. Raises CorruptImage, naming the
guest offset.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.formats.qcow2.header import MAX_OFFSET, Header
from cdi.images.formats.tabled.runs import Kind, Run

SECTOR = 512  # the length of compressed data is stored in these

OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00
COMPRESSED = 1 << 62
SUBCLUSTERS = 32
_ALL_ALLOCATED = (1 << SUBCLUSTERS) - 1


def extended_runs(header: Header, entries: array[int], guest: int, count: int) -> list[Run]:
    """Decode `count` entries with bitmaps of subclusters; see `tables.runs_of`."""
    runs: list[Run] = []
    size = header.cluster_size
    special = ~OFFSET_MASK & ~(1 << 63) | (size - 1)
    for index in range(count):
        entry, bitmap = entries[2 * index], entries[2 * index + 1]
        where = guest + index * size
        offset = entry & OFFSET_MASK
        allocated, zero = bitmap & _ALL_ALLOCATED, bitmap >> SUBCLUSTERS
        if entry & COMPRESSED:
            if bitmap:
                refuse(where, entry)
            runs.append(packed(header, entry, where))
        elif entry & special or allocated & zero or (allocated and not offset):
            refuse(where, entry)
        elif allocated == _ALL_ALLOCATED:
            last = runs[-1] if runs else None
            if last and last[1] == offset and last[3] is Kind.PLAIN and (
                where - last[2] == offset - last[0]
            ):  # fmt: skip
                runs[-1] = Run(last[0], offset + size, last[2], Kind.PLAIN)
            else:
                runs.append(Run(offset, offset + size, where, Kind.PLAIN))
        elif offset:
            runs.append(Run(offset, offset + size, where, Kind.HELD))
            runs.extend(parts(size // SUBCLUSTERS, offset, where, allocated))
    return runs


def parts(size: int, offset: int, guest: int, allocated: int) -> list[Run]:
    """Name the allocated subclusters of one cluster, neighbours joined."""
    found = []
    first = 0
    while allocated >> first:
        first += (allocated >> first & -(allocated >> first)).bit_length() - 1
        after = first
        while allocated >> after & 1:
            after += 1
        found.append(
            Run(offset + first * size, offset + after * size, guest + first * size, Kind.PART)
        )
        first = after
    return found


def packed(header: Header, entry: int, guest: int) -> Run:
    """Decode the descriptor of a compressed cluster: a byte offset and a number of sectors."""
    width = 62 - (header.cluster_bits - 8)
    offset = entry & ((1 << width) - 1)
    more_sectors = (entry & (COMPRESSED - 1)) >> width
    if not header.cluster_size <= offset < MAX_OFFSET:
        refuse(guest, entry)
    end = (offset // SECTOR + 1 + more_sectors) * SECTOR
    return Run(offset, end, guest, Kind.PACKED)


def refuse(guest: int, entry: int) -> tuple[int, int]:
    """Raise CorruptImage for an entry that makes no sense."""
    raise errors.CorruptImage(
        f"the L2 entry of guest offset {guest} is {entry:#x}: reserved bits are set, "
        "or its cluster is not aligned or overlaps the header"
    )


def within_file(run: Run, size: int) -> Run | None:
    """Refuse data beyond the end of the file; clusters that are not read do not matter.

    The last sector of compressed data may be cut, for its length is rounded up.
    """
    over = run.end - size
    if over <= 0:
        return run
    if run.kind is Kind.HELD:
        return None
    if run.kind is not Kind.PACKED or over >= SECTOR:
        raise errors.CorruptImage(
            f"guest offset {run.guest} is mapped to host offset {run.start} to {run.end}, "
            f"beyond the end of the file of {size} bytes; it may have been cut short"
        )
    return run._replace(end=size)


def within_disk(header: Header, run: Run) -> Iterator[Run]:
    """Cut what a run says about guest bytes beyond the end of the disk."""
    over = run.guest + (run.end - run.start) - header.virtual_size
    if run.kind in (Kind.PACKED, Kind.HELD) or over <= 0:
        yield run
    elif over < run.end - run.start:
        yield run._replace(end=run.end - over)
