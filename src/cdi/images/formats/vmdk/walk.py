"""
The walk through a sparse VMDK in file order.

Directory and tables of a disk that is not compressed come before its grains, so that all is
announced (`agenda`) when it passes; what nothing has announced means nothing. Compressed grains
tell by their markers what they are, wherever directory and tables lie; those are compared with
what has passed (`fingerprints`). The redundant directory is not looked at.

Raises CorruptImage, UnsafeImage, TruncatedSource; NeedsScratch where tables lie behind grains.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NoReturn

from cdi.images import errors
from cdi.images.formats.tabled.agenda import Agenda
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.formats.vmdk import markers, tables
from cdi.images.formats.vmdk.fingerprints import Fingerprints
from cdi.images.formats.vmdk.header import (
    AT_END,
    ENTRY,
    HEADER_BYTES,
    SECTOR,
    check_footer,
    parse_header,
)
from cdi.images.passing import Passing
from cdi.images.writes import Buffer, Write, clipped

_SLICE = 256 << 10  # the directory is decoded in parts of this size


class Walk:
    """Where the walk stands, and what is known at this point."""

    def __init__(self, raw: bytes, limit: int) -> None:
        """`raw` is the header, with which the walk begins."""
        self.raw = raw
        self.header = parse_header(raw)
        self.passing = Passing(0)
        self.agenda = Agenda()
        self.fingerprints = Fingerprints(self.header)
        self.at = 0  # all before this is used up
        self.current: Run | None = None  # begun, and not complete
        self.directory_left = self.header.tables  # entries that are still to come
        self.footer_at = 0  # sector of the directory that the footer tells, 0 before it
        self.directory_at = 0  # sector of the directory that a marker announced
        self.ended = False
        self._limit = limit
        self._announce_directory()

    def continue_at(self, at: int, tail: bytes, current: list[Run], pending: list[Run]) -> None:
        """Take the place of an earlier walk that had come to `at`, with `tail` at hand."""
        self.at = at
        self.passing = Passing(at)
        self.passing.add(tail)
        self.current = current[0] if current else None
        self.agenda = Agenda()
        self.agenda.add(pending)

    def advance(self, piece: Buffer) -> Iterator[Write]:
        """Take the next bytes and yield what they give."""
        self.passing.add(piece)
        while run := self._run_at_hand():
            if run.kind is Kind.PLAIN:
                yield from self._pass(run)
                if self.current:
                    return
            elif run.end <= self.passing.end:
                self.at, self.current = run.end, None
                yield from self._take(run, self.passing.take(run.start, run.end))
            else:
                return
            self.passing.forget(self.at)

    def finish(self) -> Iterator[Write]:
        """Take the end of the file; raises TruncatedSource where something was to come."""
        if self.header.compressed and not self.ended:
            # Grains are filled up to a sector, the last one by some programs not.
            yield from self.advance(bytes(-self.passing.end % SECTOR))
        missing = [*self.agenda, *([self.current] if self.current else [])]
        if missing:
            run = min(missing)
            raise errors.TruncatedSource(
                f"the source ended after {self.passing.end} bytes; byte {run.start} to {run.end} "
                f"of the VMDK, for guest offset {run.guest}, was still to come"
            )
        if self.directory_left or (self.header.directory == AT_END and not self.ended):
            raise errors.TruncatedSource(
                f"the source ended after {self.passing.end} bytes, before the VMDK's "
                "grain directory and its end"
            )
        if self.header.compressed:
            self.fingerprints.check()

    def _announce_directory(self) -> None:
        """Announce the directory where the header places it before all grains."""
        header = self.header
        if self._directory_in_front:
            self.agenda.add(list(self._directory_parts(header.directory * SECTOR)))
        elif not header.compressed:
            _refuse_late("grain directory")

    @property
    def _directory_in_front(self) -> bool:
        return self.header.directory < self.header.first_grain

    def _directory_parts(self, start: int) -> Iterator[Run]:
        """Cut the directory at `start` into runs that are decoded one at a time."""
        length = ENTRY * self.header.tables
        for at in range(0, length, _SLICE):
            end = min(at + _SLICE, length)
            yield Run(start + at, start + end, at // ENTRY * self.header.span, Kind.L1)

    def _run_at_hand(self) -> Run | None:
        """Return the run that the next byte belongs to; step over what comes before it."""
        if self.current is None:
            start = self._next_start()
            end = self.passing.end if start is None else min(start, self.passing.end)
            if end > self.at:
                self.at = end
                self.passing.forget(end)
            if start is None or start > self.at or self.at >= self.passing.end:
                return None
            self.current = self._next_run()
        return self.current

    def _next_start(self) -> int | None:
        if self.ended:
            return self.at
        start = self.agenda.next_start()
        if start is None and self.header.compressed:
            return max(-(-self.at // SECTOR), self.header.first_grain) * SECTOR
        return start

    def _next_run(self) -> Run:
        if self.ended:
            raise errors.CorruptImage(f"the VMDK goes on at byte {self.at}, after its end")
        if not len(self.agenda):
            return Run(self.at, self.at + SECTOR, 0, Kind.MARKER)
        run = self.agenda.pop()
        if run.start < self.at:
            raise errors.CorruptImage(
                f"the VMDK maps guest offset {run.guest} to byte {run.start} of its file, which "
                "is in use already"
            )
        return run

    def _pass(self, run: Run) -> Iterator[Write]:
        """Pass grains on as they lie."""
        for part in self.passing.parts(self.at, run.end):
            yield Write(run.guest + self.at - run.start, part)
            self.at += len(part)
        if self.at == run.end:
            self.current = None
        self.passing.forget(self.at)

    def _take(self, run: Run, data: Buffer) -> Iterable[Write]:
        """Decode a run that is complete."""
        if run.kind is Kind.PACKED:
            self.fingerprints.grain(run.guest // self.header.grain_bytes, run.start // SECTOR)
            grain = markers.unpacked(self.header, data, run.guest)
            return (Write(run.guest, clipped(grain, self.header.virtual_size - run.guest)),)
        if run.kind is Kind.MARKER:
            self._follow(run, markers.marker_of(data))
        elif run.kind is Kind.L1:
            self._learn_directory(run, tables.entries_of(data))
        elif run.kind is Kind.L2:
            self._learn_table(run, tables.entries_of(data))
        else:
            self._learn_footer(bytes(data))
        return ()

    def _follow(self, run: Run, marker: markers.Marker) -> None:
        """Do what a marker says: what comes next."""
        if marker.length:
            end = markers.end_of_grain(self.header, run.start, marker)
            self.at = run.start  # the compressed bytes begin within the marker's sector
            self.current = Run(run.start, end, marker.value * SECTOR, Kind.PACKED)
            return
        follows = self._announced_by(marker, run.end)
        if marker.value != -(-sum(part.end - part.start for part in follows) // SECTOR):
            raise errors.CorruptImage(
                f"the VMDK has a marker at byte {run.start} of kind {marker.kind} that announces "
                f"{marker.value} sectors"
            )
        self.agenda.add(follows)

    def _announced_by(self, marker: markers.Marker, start: int) -> list[Run]:
        header = self.header
        if marker.kind == markers.TABLE and not self._directory_in_front:
            return [Run(start, start + header.table_bytes, 0, Kind.L2)]
        fits = not self.directory_at and header.directory in (AT_END, start // SECTOR)
        if marker.kind == markers.DIRECTORY and fits:
            self.directory_at = start // SECTOR
            return list(self._directory_parts(start))
        if marker.kind == markers.FOOTER:
            return [Run(start, start + SECTOR, 0, Kind.FOOTER)]
        if marker.kind == markers.END:
            # Sectors of zeros look like it; it is the end only after a footer.
            self.ended = self.footer_at > 0
            return []
        raise errors.CorruptImage(
            f"the VMDK has a marker of kind {marker.kind} before byte {start}, "
            "where it means nothing"
        )

    def _learn_directory(self, run: Run, sectors: Iterable[int]) -> None:
        first = run.guest // self.header.span
        sectors = list(sectors)
        self.directory_left -= len(sectors)
        if self.directory_at:
            self.fingerprints.directory(first, sectors)
            return
        found = []
        for number, sector in enumerate(sectors, first):
            if sector:
                self._check_table(sector, run.end)
                start, end = sector * SECTOR, sector * SECTOR + self.header.table_bytes
                found.append(Run(start, end, number * self.header.span, Kind.L2))
        self._announce(found)

    def _check_table(self, sector: int, seen: int) -> None:
        """Insist that a table lies before all grains, and is still to come."""
        header, start = self.header, sector * SECTOR
        described = header.descriptor + header.descriptor_length
        if sector < described or header.directory * SECTOR <= start < seen:
            raise errors.CorruptImage(f"the VMDK's grain table at byte {start} is something else")
        if sector >= header.first_grain or start < seen:
            _refuse_late(f"grain table at byte {start}")

    def _learn_table(self, run: Run, entries: array[int]) -> None:
        if not self.header.compressed:
            self._announce(tables.runs_of(self.header, entries, run.guest))
        elif self._directory_in_front:
            self.fingerprints.table(run.guest // self.header.span, entries)
        else:
            self.fingerprints.table_at(run.start // SECTOR, entries)

    def _learn_footer(self, raw: bytes) -> None:
        footer = parse_header(raw)
        check_footer(self.header, footer)
        if footer.directory != self.directory_at or self.directory_left:
            raise errors.CorruptImage(
                f"the VMDK's footer places its directory at sector {footer.directory}, "
                f"where it was not"
            )
        self.footer_at = footer.directory

    def _announce(self, runs: list[Run]) -> None:
        self.agenda.add(sorted(runs))
        if self.agenda.bytes > self._limit:
            raise errors.NeedsScratch(
                f"the VMDK's grains are so scattered that more than {self._limit} bytes would "
                "have to be kept in memory to read it in one pass; it needs scratch space, or a "
                "source that can be read at any offset"
            )


def header_of(head: bytes) -> bytes:
    """Return the header's bytes out of the first ones of a file."""
    if len(head) < HEADER_BYTES:
        raise errors.TruncatedSource(f"the VMDK ends after {len(head)} bytes, within its header")
    return head[:HEADER_BYTES]


def _refuse_late(name: str) -> NoReturn:
    raise errors.NeedsScratch(
        f"the VMDK's {name} lies behind what it maps, or before the directory; it needs "
        "scratch space, or a source that can be read at any offset"
    )
