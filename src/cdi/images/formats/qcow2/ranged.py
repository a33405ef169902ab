"""
A qcow2 image whose source can be read at any offset.

Here: the walk over the tables, in windows, so that memory does not grow with the disk. A
window's tables are read, checked against everything seen before, and its data named as units;
then the next window follows. Elsewhere: what entries mean, and who owns which bytes
(`tables`); what a unit is (`units`). Raises CorruptImage; and whatever the reader raises.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property, partial

from cdi.images import errors
from cdi.images.formats import image
from cdi.images.formats.qcow2 import changes, clusters, tables
from cdi.images.formats.qcow2.header import Header, parse_header
from cdi.images.formats.qcow2.packing import Unpacker, unpacked, unpacker_for
from cdi.images.formats.tabled.runs import Run
from cdi.images.formats.tabled.units import READ_BYTES, Cutter, Part, Tables
from cdi.images.formats.window import Window
from cdi.images.layout import Ranges, Unit
from cdi.images.writes import Buffer

_WINDOW_ENTRIES = 64 << 10  # L2 entries looked at together: about 12 MiB when all are compressed


def inspect(view: Window, _deep: bool) -> image.Image:
    """Check the header; the tables are checked as they are read."""
    header, late = parse_header(view.head, view.size), False
    if view.only_forward:
        from cdi.images.formats.qcow2 import forward  # nobody else needs what reads in order

        late = forward.comes_too_late(header)
    return image.Image(
        "qcow2",
        header.virtual_size,
        native=True,
        layout=partial(RandomQcow2, header=header),
        tables_late=late,
    )


class RandomQcow2:
    """The layout of one image. The constructor reads the L1 table; `units` reads the L2 tables.

    `delta` says that the image holds changes of another disk: what it calls zero is cleared there,
    and what it does not map stays as it is.
    """

    def __init__(self, source: image.Ranged, header: Header, *, delta: bool = False) -> None:
        self.virtual_size = header.virtual_size
        self._tables = Tables(source.reader, source.table_readers)
        self._size = source.size
        self._header = header
        self._delta = delta
        unit = source.unit_bytes
        self._cutter = Cutter(header.cluster_size, header.virtual_size, self._unpack, unit)
        self._l1 = self._read_l1()
        self._table_claims()  # refuses before anything is written

    @cached_property
    def _unpacker(self) -> Unpacker:
        return unpacker_for(self._header)

    def _unpack(self, data: Buffer, guest: int) -> Buffer:
        return unpacked(self._unpacker, data, guest)

    def units(self, done: Ranges) -> Iterator[Unit]:
        """Yield what is left to fetch; see `layout.RandomLayout`."""
        claims = self._table_claims()
        for window in self._windows():
            parts = list(self._tables.fetch(window))
            runs = [run for part in parts for run in self._decode(*part)]
            runs.sort()
            claims.runs(runs)
            if self._delta:
                yield from changes.cleared(self._header, parts, done)
            yield from self._cutter.units(runs, done)

    def _read_l1(self) -> array[int]:
        """Read the entries that map the disk, as host offsets of L2 tables."""
        header = self._header
        offsets = array("Q")
        for first in range(0, header.l1_entries, READ_BYTES // 8):
            count = min(header.l1_entries - first, READ_BYTES // 8)
            table = self._tables.read(header.l1_offset + first * 8, count * 8)
            for index, entry in enumerate(tables.entries_of(table), first):
                offset = tables.l2_offset(header, index, entry) if entry else 0
                if offset + header.cluster_size > self._size and offset:
                    raise errors.CorruptImage(
                        f"the L2 table of guest offset {index * header.l2_span} at {offset} ends "
                        f"beyond the file of {self._size} bytes; it may have been cut short"
                    )
                offsets.append(offset)
        return offsets

    def _table_claims(self) -> tables.Claims:
        """Claim the header and all tables that this reader looks at."""
        header = self._header
        claims = tables.Claims(header.cluster_bits)
        claims.table("header", 0, header.cluster_size)
        claims.table("L1 table", header.l1_offset, header.l1_declared * 8)
        length = header.refcount_table_clusters << header.cluster_bits
        # Beyond the end of the file it cannot meet anything.
        if header.refcount_table_offset + length <= self._size:
            claims.table("refcount table", header.refcount_table_offset, length)
        for index, offset in enumerate(self._l1):
            if offset:
                name = f"L2 table of guest offset {index * header.l2_span}"
                claims.table(name, offset, header.cluster_size)
        return claims

    def _windows(self) -> Iterator[list[Part]]:
        """Yield lists of (host offset, length, guest offset): parts of L2 tables."""
        header = self._header
        window: list[Part] = []
        left = _WINDOW_ENTRIES
        for index, table in enumerate(self._l1):
            if not table:
                continue
            for entry in range(0, header.l2_entries, _WINDOW_ENTRIES):
                count = min(header.l2_entries - entry, _WINDOW_ENTRIES)
                guest = index * header.l2_span + (entry << header.cluster_bits)
                if guest >= header.virtual_size:
                    break
                if count > left:
                    yield window
                    window, left = [], _WINDOW_ENTRIES
                window.append(
                    (table + entry * header.entry_bytes, count * header.entry_bytes, guest)
                )
                left -= count
        if window:
            yield window

    def _decode(self, table: memoryview, guest: int) -> list[Run]:
        runs = tables.runs_of(self._header, tables.entries_of(table), guest)
        if all(run[1] <= self._size for run in runs):
            return runs
        return [kept for run in runs if (kept := clusters.within_file(run, self._size))]
