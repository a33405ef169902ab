"""
The walk through a qcow2 file in file order.

Tables may come before or after what they map. Bytes that some table has announced (`agenda`)
are decoded as they pass; bytes that nothing has announced yet are parked (`spill`) until their
table comes, or until all tables are known and nothing can map them. Both share one limit.
Every byte has one meaning: a run that begins in bytes which are used up is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NoReturn

from cdi.images import errors
from cdi.images.formats.qcow2 import clusters, fragments, tables
from cdi.images.formats.qcow2.header import MAX_OFFSET, Header
from cdi.images.formats.qcow2.packing import unpacked, unpacker_for
from cdi.images.formats.qcow2.spill import Spill
from cdi.images.formats.tabled.agenda import Agenda
from cdi.images.formats.tabled.runs import Kind, Run
from cdi.images.passing import Passing
from cdi.images.writes import Buffer, Packed, Write, clipped

_SLICE = 256 << 10  # tables are decoded in parts of this size
_TABLES = (Kind.L1, Kind.L2, Kind.REFCOUNT_TABLE)

# Between two compressed clusters that share a sector, a third of less than a sector may lie.
# Of that many such places the bytes are kept, for programs write clusters a little out of order.
_MAX_SEAMS = 1024


class Walk:
    """Where the walk stands, and what is known at this point."""

    def __init__(self, header: Header, limit: int) -> None:
        self.header = header
        self.passing = Passing(0)
        self.agenda = Agenda()
        self.spill = Spill()
        self.at = 0  # all before this is used up or parked
        self.current: Run | None = None  # begun, and not complete
        self.l1_seen = False
        self.l2_left = 0  # L2 tables that are known to come
        self._limit = limit
        self._seams: deque[tuple[int, int]] = deque()
        self._blank = False  # nothing but zeros since a compressed cluster ended
        self._unpacker = unpacker_for(header)
        self.agenda.add(sorted(_announced(header)))

    def continue_at(
        self, at: int, tail: bytes, current: list[Run], pending: list[Run], parked: Spill
    ) -> None:
        """Take the place of an earlier walk that had come to `at`, with `tail` at hand."""
        self.at = at
        self.passing = Passing(at)
        self.passing.add(tail)
        self.current = current[0] if current else None
        self.agenda = Agenda()
        self.agenda.add(pending)
        self.spill = parked

    def advance(self, piece: Buffer) -> Iterator[Write | Packed]:
        """Take the next bytes and yield what they give."""
        self.passing.add(piece)
        while run := self._run_at_hand():
            if run.kind is Kind.PACKED:
                if run.end > self.passing.end:
                    return
                data = self.passing.take(run.start, run.end)
                yield self._unpacked(run, data)
                self.at = self._end_of(run, data)
            elif run.kind in _TABLES:
                yield from self._pass_table(run)
            else:
                yield from self._pass(run)
            if self.at < run.end and run.kind is not Kind.PACKED:
                return
            self.current = None
            self.passing.forget(self.at)

    def finish(self) -> Iterator[Write | Packed]:
        """Take the end of the file; raises TruncatedSource where something was to come."""
        end = self.passing.end
        while (run := self._run_at_hand()) and run.kind is Kind.PACKED:
            if run.end - end >= clusters.SECTOR:
                break
            # The length was rounded up to a sector, which the file need not fill.
            yield self._unpacked(run, self.passing.take(run.start, min(end, run.end)))
            self.at = min(fragments.owned_end(run), end)
            self.current = None
        missing = [run for run in self.agenda if run.kind is not Kind.IGNORED]
        if self.current and self.current.kind is not Kind.IGNORED:
            missing.append(self.current)
        if missing:
            run = min(missing)
            raise errors.TruncatedSource(
                f"the source ended after {end} bytes; host offset {run.start} to {run.end} "
                f"({_name(run)}) was still to come"
            )

    def _run_at_hand(self) -> Run | None:
        """Return the run that the next byte belongs to; park what comes before it."""
        if self.current is None:
            start = self.agenda.next_start()
            if start is None or start > self.at:
                end = self.passing.end if start is None else min(start, self.passing.end)
                self._park(end)
            if start is None or start > self.at or self.at >= self.passing.end:
                return None
            run = self.agenda.pop()
            if run.start < self.at:
                _refuse(run)
            self.current = run
        return self.current

    def _park(self, end: int) -> None:
        """Keep what passes up to `end`, unless nothing can ask for it any more."""
        if not self.all_known:
            for part in self.passing.parts(self.at, end):
                kept = memoryview(self._without_blank(part) if self._blank else part)
                self.spill.park(self.at, kept)
                self.at += len(kept)
                self._check_limit()
        self.at = max(self.at, end)
        self.passing.forget(self.at)

    def _end_of(self, run: Run, data: Buffer) -> int:
        """Return where the bytes after a compressed cluster begin to matter.

        Its length is known in sectors, and in its last sector another may begin. If one does,
        a third might lie between the two: what is left of the sector is parked for a while.
        Otherwise anything may follow, and the true end has to be found out.
        """
        owned = fragments.owned_end(run)
        following = self.agenda.next_start()
        if self.all_known:
            return owned if following is not None and following < run.end else run.end
        if following is not None and following <= run.end:
            self._seams.append((owned, following))
            if len(self._seams) > _MAX_SEAMS:
                self.spill.release(*self._seams.popleft())
            return owned
        self._blank = True
        unpacked(self._unpacker, data, run.guest)  # only a sane one has an end
        return max(run.start + self._unpacker.used(data), owned)

    def _without_blank(self, part: Buffer) -> Buffer:
        """Step over zeros between compressed data and the end of its host cluster.

        Most compressed clusters are followed by some. Nothing needs them: plain clusters and
        tables begin with a host cluster, and compressed data does not begin with a zero.
        """
        inside = bytes(part[: -self.at % self.header.cluster_size])
        zeros = len(inside) - len(inside.lstrip(b"\0"))
        self._blank = zeros == len(part)
        self.at += zeros
        return part[zeros:]

    @property
    def all_known(self) -> bool:
        """Whether all tables have been decoded: what nothing has named yet means nothing."""
        return self.l1_seen and not self.l2_left

    def _check_limit(self) -> None:
        if self.spill.bytes + self.agenda.bytes > self._limit:
            self._move_out()
        if self.spill.bytes + self.agenda.bytes > self._limit:
            raise errors.NeedsScratch(
                f"the image's tables lie so far from its data that more than {self._limit} bytes "
                "would have to be kept in memory to read it in one pass; it needs scratch space, "
                "or a source that can be read at any offset"
            )

    def _move_out(self) -> None:
        try:
            self.spill.move_out()
        except errors.NoSpace as full:
            raise errors.NeedsScratch(
                f"there is no room to keep what lies before the image's tables: {full}"
            ) from full

    def _pass(self, run: Run) -> Iterator[Write | Packed]:
        """Pass plain bytes on as they lie; skip those that are no data."""
        if run.kind is Kind.IGNORED:
            self.at = min(run.end, self.passing.end)
            return
        for part in self.passing.parts(self.at, run.end):
            yield Write(run.guest + self.at - run.start, part)
            self.at += len(part)
        self.passing.forget(self.at)

    def _unpacked(self, run: Run, data: Buffer) -> Packed:
        length = min(self.header.cluster_size, self.header.virtual_size - run.guest)

        def make() -> Buffer:
            return clipped(unpacked(self._unpacker, data, run.guest), length)

        return Packed(run.guest, length, make)

    def _pass_table(self, run: Run) -> Iterator[Write | Packed]:
        """Decode a table as it passes, in parts, so that it need not be held as a whole."""
        while self.at < run.end:
            end = min(run.end, self.at + _SLICE)
            if self.passing.end < end:
                return
            start, self.at = self.at, end
            yield from self._learn(run, start, self.passing.take(start, end))
            self.passing.forget(end)
        self._complete(run.kind)

    def _complete(self, kind: Kind) -> None:
        """Note that a table was decoded to its end."""
        if kind is Kind.L1:
            self.l1_seen = True
        elif kind is Kind.L2:
            self.l2_left -= 1
        if self.all_known:
            self.spill.clear()

    def _learn(self, table: Run, start: int, data: Buffer) -> Iterator[Write | Packed]:
        """Decode part of a table. What it announces lies ahead, or is parked."""
        runs = sorted(self._announced_by(table, start, data))
        ahead = [run for run in runs if run.start >= self.at]
        self.agenda.add(ahead)
        self._check_limit()
        for run in runs[: len(runs) - len(ahead)]:
            yield from self._unpark(run)

    def _announced_by(self, table: Run, start: int, data: Buffer) -> Iterable[Run]:
        header = self.header
        entries = tables.entries_of(data)
        first = (start - table.start) // 8
        if table.kind is Kind.L1:
            runs = list(_l2_tables(header, first, entries))
            self.l2_left += len(runs)
            return runs
        if table.kind is Kind.REFCOUNT_TABLE:
            return _refcount_blocks(header, entries)
        cluster = (start - table.start) // header.entry_bytes
        guest = table.guest + (cluster << header.cluster_bits)
        if guest >= header.virtual_size:
            return ()
        return _without_held(tables.runs_of(header, entries, guest))

    def _unpark(self, run: Run) -> Iterator[Write | Packed]:
        """Decode a run that went by before its table."""
        spill = self.spill
        if run.kind is Kind.IGNORED:
            spill.release(run.start, run.end)
            return
        end = min(run.end, spill.reach(run.start))
        if end < (fragments.owned_end(run) if run.kind is Kind.PACKED else run.end):
            self._refuse_unparked(run)
        if run.kind is Kind.PACKED:
            yield self._unpacked(run, spill.joined(run.start, end))
            end = fragments.owned_end(run)
            spill.release(run.start, end)
        elif run.kind is Kind.L2:
            table = memoryview(spill.joined(run.start, end))
            spill.release(run.start, end)  # before it can name itself
            for at in range(0, len(table), _SLICE):
                yield from self._learn(run, run.start + at, table[at : at + _SLICE])
            self._complete(run.kind)
        else:
            for offset, part in spill.parts(run.start, end):
                yield Write(run.guest + offset - run.start, part)
            spill.release(run.start, end)

    @staticmethod
    def _refuse_unparked(run: Run) -> NoReturn:
        if run.kind is Kind.PACKED and fragments.owned_end(run) - run.start < clusters.SECTOR:
            # It may lie between two others, where nothing is parked any more.
            raise errors.NeedsScratch(
                f"the compressed cluster of guest offset {run.guest} is so small that its place "
                "cannot be told in one pass; the image needs scratch space, or a source that "
                "can be read at any offset"
            )
        _refuse(run)


def _announced(header: Header) -> Iterator[Run]:
    """Name what the header places."""
    yield Run(0, header.cluster_size, 0, Kind.IGNORED)
    used, end = (header.l1_offset + count * 8 for count in (header.l1_entries, header.l1_declared))
    yield Run(header.l1_offset, used, 0, Kind.L1)
    if used < end:
        yield Run(used, end, 0, Kind.IGNORED)
    if length := header.refcount_table_clusters << header.cluster_bits:
        start = header.refcount_table_offset
        yield Run(start, start + length, 0, Kind.REFCOUNT_TABLE)


def _l2_tables(header: Header, first: int, entries: Iterable[int]) -> Iterator[Run]:
    for index, entry in enumerate(entries, first):
        if entry and (offset := tables.l2_offset(header, index, entry)):
            yield Run(offset, offset + header.cluster_size, index * header.l2_span, Kind.L2)


def _refcount_blocks(header: Header, entries: Iterable[int]) -> Iterator[Run]:
    """Name the clusters that hold reference counts: nothing to park."""
    for entry in entries:
        if entry and not entry & (header.cluster_size - 1) and entry < MAX_OFFSET:
            yield Run(entry, entry + header.cluster_size, 0, Kind.IGNORED)


def _without_held(runs: list[Run]) -> Iterator[Run]:
    """Turn held clusters into what is to be ignored of them; their parts follow them."""
    held_from = held_to = 0
    for run in runs:
        if run.kind is Kind.PART:
            if held_from < run.start:
                yield Run(held_from, run.start, run.guest, Kind.IGNORED)
            held_from = run.end
            yield run
            continue
        if held_from < held_to:
            yield Run(held_from, held_to, run.guest, Kind.IGNORED)
            held_from = held_to = 0
        if run.kind is Kind.HELD:
            held_from, held_to = run.start, run.end
        else:
            yield run
    if held_from < held_to:
        yield Run(held_from, held_to, runs[-1].guest, Kind.IGNORED)


def _name(run: Run) -> str:
    return {
        Kind.L1: "the L1 table",
        Kind.REFCOUNT_TABLE: "the refcount table",
    }.get(run.kind, f"{'table' if run.kind is Kind.L2 else 'data'} of guest offset {run.guest}")


def _refuse(run: Run) -> NoReturn:
    raise errors.CorruptImage(
        f"{_name(run)} is placed at host offset {run.start} to {run.end}, which is in use already"
    )
