"""
What the entries of L1 and L2 tables mean.

Here: entries in, runs of host bytes out; every bit is checked. Elsewhere: where tables are
fetched from, whether two runs share host bytes (`claims`), what packed bytes hold (`packing`).
Pure functions. Raises CorruptImage, naming the guest offset.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.formats.qcow2.header import MAX_OFFSET, Header
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.layout import Buffer

SECTOR = 512  # the length of compressed data is stored in these

_OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00
_L1_RESERVED = 0x7F00_0000_0000_01FF
_COMPRESSED = 1 << 62
_ZERO = 1
_SUBCLUSTERS = 32
_ALL_ALLOCATED = (1 << _SUBCLUSTERS) - 1


def entries_of(table: Buffer) -> array[int]:
    """Decode the 64-bit big-endian numbers of a table."""
    numbers = array("Q")
    numbers.frombytes(table)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def l2_offset(header: Header, index: int, entry: int) -> int:
    """Return the host offset of the L2 table that an L1 entry names; 0 for none."""
    offset = entry & _OFFSET_MASK
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
        runs = _extended_runs(header, entries, guest, count)
    else:
        runs = _standard_runs(header, entries, guest, count)
    if guest + count * header.cluster_size > header.virtual_size:
        runs = [part for run in runs for part in _clipped(header, run)]
    return runs


def zeros_of(header: Header, entries: array[int], guest: int) -> Iterator[tuple[int, int]]:
    """Yield the guest ranges that consecutive L2 entries call zero, in order, neighbours joined.

    Only of use beside a disk that the image builds on: by itself, what is not mapped is zero too.
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
            if not entry & _COMPRESSED and bitmap >> _SUBCLUSTERS:
                for run in _parts(size // _SUBCLUSTERS, 0, where, bitmap >> _SUBCLUSTERS):
                    yield run.guest, run.guest + run.end - run.start
    elif header.version > 2:
        for where, entry in zip(range(guest, header.virtual_size, size), entries, strict=False):
            if entry & _ZERO and not entry & _COMPRESSED:
                yield where, where + size


def _standard_runs(header: Header, entries: array[int], guest: int, count: int) -> list[Run]:
    runs: list[Run] = []
    size = header.cluster_size
    # Anything but a plain allocated cluster has one of these bits.
    special = ~_OFFSET_MASK & ~(1 << 63) | (size - 1)
    zero = 0 if header.version == 2 else _ZERO
    start = end = first = 0
    for index, entry in enumerate(entries[:count] if count < len(entries) else entries):
        if not entry:
            continue
        where = guest + index * size
        if not entry & special:
            offset = entry & _OFFSET_MASK
            if offset == end and where - first == end - start and offset:
                end += size
                continue
            if end:
                runs.append(Run(start, end, first, Kind.PLAIN))
            start, end, first = offset, offset + size, where
            if not offset:
                start, end = _refuse(where, entry)
        elif entry & _COMPRESSED:
            runs.append(_packed(header, entry, where))
        elif entry & zero and not entry & special & ~_ZERO:
            if offset := entry & _OFFSET_MASK:
                runs.append(Run(offset, offset + size, where, Kind.HELD))
        else:
            _refuse(where, entry)
    if end:
        runs.append(Run(start, end, first, Kind.PLAIN))
    return runs


def _extended_runs(header: Header, entries: array[int], guest: int, count: int) -> list[Run]:
    runs: list[Run] = []
    size = header.cluster_size
    special = ~_OFFSET_MASK & ~(1 << 63) | (size - 1)
    for index in range(count):
        entry, bitmap = entries[2 * index], entries[2 * index + 1]
        where = guest + index * size
        offset = entry & _OFFSET_MASK
        allocated, zero = bitmap & _ALL_ALLOCATED, bitmap >> _SUBCLUSTERS
        if entry & _COMPRESSED:
            if bitmap:
                _refuse(where, entry)
            runs.append(_packed(header, entry, where))
        elif entry & special or allocated & zero or (allocated and not offset):
            _refuse(where, entry)
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
            runs.extend(_parts(size // _SUBCLUSTERS, offset, where, allocated))
    return runs


def _parts(size: int, offset: int, guest: int, allocated: int) -> list[Run]:
    """Name the allocated subclusters of one cluster, neighbours joined."""
    parts = []
    first = 0
    while allocated >> first:
        first += (allocated >> first & -(allocated >> first)).bit_length() - 1
        after = first
        while allocated >> after & 1:
            after += 1
        parts.append(
            Run(offset + first * size, offset + after * size, guest + first * size, Kind.PART)
        )
        first = after
    return parts


def _packed(header: Header, entry: int, guest: int) -> Run:
    """Decode the descriptor of a compressed cluster: a byte offset and a number of sectors."""
    width = 62 - (header.cluster_bits - 8)
    offset = entry & ((1 << width) - 1)
    more_sectors = (entry & (_COMPRESSED - 1)) >> width
    if not header.cluster_size <= offset < MAX_OFFSET:
        _refuse(guest, entry)
    end = (offset // SECTOR + 1 + more_sectors) * SECTOR
    return Run(offset, end, guest, Kind.PACKED)


def _clipped(header: Header, run: Run) -> Iterator[Run]:
    """Cut what a run says about guest bytes beyond the end of the disk."""
    over = run.guest + (run.end - run.start) - header.virtual_size
    if run.kind in (Kind.PACKED, Kind.HELD) or over <= 0:
        yield run
    elif over < run.end - run.start:
        yield run._replace(end=run.end - over)


def _refuse(guest: int, entry: int) -> tuple[int, int]:
    raise errors.CorruptImage(
        f"the L2 entry of guest offset {guest} is {entry:#x}: reserved bits are set, "
        "or its cluster is not aligned or overlaps the header"
    )
