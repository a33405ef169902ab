"""
A sparse VMDK whose source can be read at any offset.

Here: the walk over directory and grain tables, in windows, so that memory does not grow with the
disk. A window's tables are read, checked against everything seen before, and its grains named as
units; then the next window follows. Only the primary directory is read, not the redundant one.
Elsewhere: what entries mean (`tables`), what a compressed grain holds (`markers`).
Raises CorruptImage, TruncatedSource; and whatever the reader raises.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import partial

from cdi.images import errors
from cdi.images.formats.image import Ranged
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.formats.tabled.units import READ_BYTES, Bitmap, Cutter, Part, Tables
from cdi.images.formats.vmdk import markers, tables
from cdi.images.formats.vmdk.header import ENTRY, SECTOR, Header
from cdi.images.layout import Ranges, Unit

_WINDOW_TABLES = 128  # looked at together: about 12 MiB when all grains are compressed


class RandomVmdk:
    """The layout of one image. The constructor reads the directory; `units` reads the tables.

    `header` tells where the directory is: for some disks it is the one in the footer.
    """

    def __init__(self, source: Ranged, header: Header) -> None:
        self.virtual_size = header.virtual_size
        self._tables = Tables(source.reader, source.table_readers)
        self._size = source.size
        self._header = header
        unpack = partial(markers.unpacked, header)
        self._cutter = Cutter(header.grain_bytes, header.virtual_size, unpack, source.unit_bytes)
        self._directory = self._read_directory()
        self._edges = sorted({header.directory, *self._directory})  # grains end before these
        self._table_places()  # refuses before anything is written

    def units(self, done: Ranges) -> Iterator[Unit]:
        """Yield what is left to fetch; see `layout.RandomLayout`."""
        places = self._table_places()
        held: list[Run] = []  # the last compressed grain of a window: the next may tell its end
        for window in self._windows():
            runs = sorted(run for part in self._tables.fetch(window) for run in self._decode(*part))
            _claim(places, runs)
            if self._header.compressed:
                ended = self._ended(sorted(held + runs))
                runs, held = ended[:-1], ended[-1:]
            yield from self._cutter.units(runs, done)
        yield from self._cutter.units(held, done)

    def _read_directory(self) -> array[int]:
        """Return the sectors of all grain tables, 0 for none."""
        header = self._header
        start, length = header.directory * SECTOR, ENTRY * header.tables
        sectors = array("I")
        for at in range(0, length, READ_BYTES):
            part = self._tables.read(start + at, min(READ_BYTES, length - at))
            sectors.extend(tables.entries_of(part))
        for index, sector in enumerate(sectors):
            if sector and sector * SECTOR + header.table_bytes > self._size:
                raise errors.TruncatedSource(
                    f"the VMDK's grain table of guest offset {index * header.span} at byte "
                    f"{sector * SECTOR} ends beyond the file of {self._size} bytes; "
                    "the file is cut short or damaged, fetch it again"
                )
        return sectors

    def _table_places(self) -> Bitmap:
        """Take the sectors of header, descriptor, directory and tables."""
        header, places = self._header, Bitmap()
        named = [
            ("header", 0, SECTOR),
            ("descriptor", header.descriptor, header.descriptor_length * SECTOR),
            ("grain directory", header.directory, ENTRY * header.tables),
        ]
        for name, sector, length in named:
            if not places.add(sector, sector + -(-length // SECTOR)):
                raise errors.CorruptImage(f"the VMDK's {name} overlaps what is before it")
        sectors = -(-header.table_bytes // SECTOR)
        for sector in self._directory:
            if sector and not places.add(sector, sector + sectors):
                raise errors.CorruptImage(
                    f"the VMDK's grain table at sector {sector} overlaps another table"
                )
        return places

    def _windows(self) -> Iterator[list[Part]]:
        header = self._header
        window: list[Part] = []
        for index, sector in enumerate(self._directory):
            if sector:
                window.append((sector * SECTOR, header.table_bytes, index * header.span))
            if len(window) == _WINDOW_TABLES:
                yield window
                window = []
        if window:
            yield window

    def _decode(self, table: memoryview, guest: int) -> list[Run]:
        runs = tables.runs_of(self._header, tables.entries_of(table), guest)
        for run in runs:
            end = run.start + 1 if run.kind is Kind.PACKED else run.end
            if end > self._size:
                raise errors.TruncatedSource(
                    f"the VMDK maps guest offset {run.guest} to byte {run.start} to {end}, beyond "
                    f"the end of the file of {self._size} bytes; it is cut short or damaged"
                )
        return runs

    def _ended(self, runs: list[Run]) -> list[Run]:
        """Let compressed grains end where at the latest something else begins."""
        ended = []
        for index, run in enumerate(runs):
            edge = bisect_right(self._edges, run.start // SECTOR)
            end = min(run.end, self._size)
            if edge < len(self._edges):
                end = min(end, self._edges[edge] * SECTOR)
            if index + 1 < len(runs):
                end = min(end, runs[index + 1].start)
            ended.append(run._replace(end=end))
        return ended


def _claim(places: Bitmap, runs: Iterable[Run]) -> None:
    """Insist that every grain has a place of its own.

    Of a compressed one that is its first sector: it says which grain it is.
    """
    for run in runs:
        first = run.start // SECTOR
        after = first + 1 if run.kind is Kind.PACKED else -(-run.end // SECTOR)
        if not places.add(first, after):
            raise errors.CorruptImage(
                f"the VMDK maps guest offset {run.guest} to byte {run.start} of its file, which "
                "is in use already: grains overlap"
            )
