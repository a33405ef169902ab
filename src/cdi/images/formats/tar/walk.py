"""
From headers to entries, one after the other.

An entry may take several headers: long names and pax records come in front of the one that they
are about. The archive ends at the first block of zeros, whatever follows; one that just stops
between two entries is taken, as GNU tar does, since some writers leave the end mark out.

Raises CorruptImage for nonsense, TruncatedSource for an archive that ends inside an entry,
UnsafeImage for absurd numbers of entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cdi.images import errors
from cdi.images.formats.tar import pax, sparse
from cdi.images.formats.tar.block import BLOCK, Header, parse_header
from cdi.images.formats.tar.entry import Entry, Kind
from cdi.images.formats.tar.faults import corrupt, truncated
from cdi.images.formats.tar.tape import Forward, Ranged, Tape
from cdi.images.layout import Reader

ENTRIES: Final = 1_000_000  # headers in one archive, if not told otherwise

_LONGEST_RECORD = 1 << 20  # of a long name or pax header: no honest one comes near
_KINDS = {
    b"\0": Kind.FILE, b"0": Kind.FILE, b"7": Kind.FILE, b"S": Kind.FILE, b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK, b"3": Kind.CHARACTER, b"4": Kind.BLOCK, b"5": Kind.DIRECTORY,
    b"D": Kind.DIRECTORY, b"6": Kind.FIFO,
}  # fmt: skip
# What these say of a size is about the file system that they came from: no data follows.
_WITHOUT_DATA = b"123456"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a walk is, so that another one can go on there: `at` bytes into the archive.

    That is right before a header, or within the data of `entry`.
    """

    at: int
    headers: int = 0  # that have been read
    records: pax.Records = field(default_factory=dict)  # that hold for all entries to come
    entry: Entry | None = None


class Walker:
    """Iterate over the entries of an archive that comes in order.

    What is not read of an entry's data is skipped when the next entry is asked for.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        at: int = 0,
        *,
        entries: int = ENTRIES,
        standing: Standing | None = None,
    ) -> None:
        """Begin at a header, `at` bytes into the archive. At most `entries` headers are read.

        With `standing` go on there, which may lie behind the first of the `pieces`.
        """
        standing = standing or Standing(at)
        self._tape = Forward(pieces, at)
        self._tape.skip(standing.at - at)
        self._entries = _Entries(self._tape, entries, standing)
        self._entry = standing.entry
        self._end = 0  # of the current entry, padding included
        if self._entry is not None:
            self._end = self._entry.start + _padded(self._entry.stored)

    @property
    def position(self) -> int:
        """How far the archive has been read."""
        return self._tape.position

    def standing(self, *, within: bool) -> Standing:
        """Where the walk is: `within` the current entry's data, or right behind it."""
        entry = self._entry if within else None
        at = self._tape.position if within else max(self._end, self._tape.position)
        return Standing(at, self._entries.headers, dict(self._entries.records), entry)

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        if self._entry is not None:
            self._tape.skip(self._end - self._tape.position)
        self._entry = None
        self._entry = next(self._entries)
        self._end = self._entry.start + _padded(self._entry.stored)
        return self._entry

    def data(self) -> Iterator[bytes]:
        """Yield the stored bytes of the current entry that have not been read yet."""
        entry = self._entry
        if entry is None:
            return
        while entry is self._entry and (left := entry.start + entry.stored - self._tape.position):
            if left < 0:
                return
            piece = self._tape.some(left)
            if not piece:
                raise truncated(self._tape.position)
            yield piece

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """Yield the current entry's data with its place in the file; what is left out is zero.

        To be called before anything of the data has been read.
        """
        entry = self._entry
        if entry is None:
            return
        for offset, length in entry.extents if entry.extents is not None else ((0, entry.stored),):
            done = 0
            while done < length:
                piece = self._tape.some(length - done)
                if not piece:
                    raise truncated(self._tape.position)
                yield offset + done, piece
                done += len(piece)

    def drain(self) -> None:
        """Read what follows the archive's end, up to the end of the pieces."""
        while self._tape.some(1 << 30):
            pass


def walk_at(read: Reader, size: int, *, entries: int = ENTRIES) -> Iterator[Entry]:
    """Yield the entries of an archive of `size` bytes, reading headers and no data."""
    tape = Ranged(read, size)
    for entry in _Entries(tape, entries):
        yield entry
        tape.skip(_padded(entry.stored))


class _Entries:
    """Reads headers off a tape; whoever iterates winds the tape past the data."""

    def __init__(self, tape: Tape, most: int, standing: Standing | None = None) -> None:
        self._tape, self._most = tape, most
        self.headers = standing.headers if standing else 0
        self.records: pax.Records = dict(standing.records) if standing else {}
        self._ended = False

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        own: pax.Records = {}
        while (header := self._header()) is not None:
            match header.flag:
                case b"L":  # GNU's long names
                    own["path"] = self._long(header)
                case b"K":
                    own["linkpath"] = self._long(header)
                case b"x" | b"X":  # pax, for one entry; the latter is Solaris's
                    own |= pax.parse_records(self._record(header), self._tape.position)
                case b"g":
                    self.records |= pax.parse_records(self._record(header), self._tape.position)
                case b"V":  # a label of the archive, and no file
                    self._tape.skip(_padded(header.size))
                case _:
                    return self._entry(header, self.records | own)
        raise StopIteration

    def _header(self) -> Header | None:
        """Return the next header, None at the end of the archive."""
        at = self._tape.position
        block = b"" if self._ended else self._tape.take_up_to(BLOCK)
        if not any(block) and len(block) in {0, BLOCK}:
            self._ended = True
            return None
        if len(block) < BLOCK:
            raise truncated(self._tape.position)
        self.headers += 1
        if self.headers > self._most:
            raise errors.UnsafeImage(
                f"the tar archive has more than {self._most} entries, too many to be unpacked "
                "here; split it"
            )
        return parse_header(block, at)

    def _record(self, header: Header) -> bytes:
        if header.size > _LONGEST_RECORD:
            raise corrupt(self._tape.position, f"a header of {header.size} bytes is absurd")
        data = self._tape.take_up_to(_padded(header.size))
        if len(data) < _padded(header.size):
            raise truncated(self._tape.position)
        return data[: header.size]

    def _long(self, header: Header) -> bytes:
        return self._record(header).split(b"\0", 1)[0]

    def _entry(self, header: Header, records: pax.Records) -> Entry:
        at = self._tape.position
        stored = pax.number(records, "size", at)
        stored = header.size if stored is None else stored
        if header.flag in _WITHOUT_DATA:
            stored = 0
        shape, stored = self._shape(header, records, stored)
        name = _name_of(header, records, at)
        link = pax.text(records, "linkpath", at) or header.link
        kind = _KINDS.get(header.flag, Kind.OTHER)
        if kind is Kind.FILE and name.endswith(b"/"):
            kind = Kind.DIRECTORY  # as the oldest archives say it
        mtime = pax.nanoseconds(records, "mtime", at)
        uid, gid = pax.owner(records, "uid", at), pax.owner(records, "gid", at)
        return Entry(
            name=_decoded(name.rstrip(b"/") or b"/"),
            kind=kind,
            mode=header.mode,
            mtime=header.mtime if mtime is None else mtime,
            uid=header.uid if uid is None else uid,
            gid=header.gid if gid is None else gid,
            link=_decoded(link),
            size=stored if shape is None else shape.size,
            start=self._tape.position,
            stored=stored,
            extents=None if shape is None else shape.extents,
        )

    def _shape(
        self, header: Header, records: pax.Records, stored: int
    ) -> tuple[sparse.Map | None, int]:
        """Return a sparse file's map, and how many bytes of data follow."""
        at = self._tape.position
        if header.flag == b"S":
            return sparse.old_map(header, stored, self._tape), stored
        if _KINDS.get(header.flag) is not Kind.FILE:
            return None, stored
        size = pax.number(records, pax.SPARSE + "realsize", at)
        if size is None:
            size = pax.number(records, pax.SPARSE + "size", at)
        if size is None:
            return None, stored
        if records.get(pax.SPARSE + "major", b"0") == b"1":
            shape, length = sparse.leading_map(self._tape, size, stored)
            return shape, stored - length
        return sparse.text_map(records.get(pax.SPARSE + "map", b""), size, stored, at), stored


def _name_of(header: Header, records: pax.Records, at: int) -> bytes:
    name = (
        pax.text(records, pax.SPARSE + "name", at) or pax.text(records, "path", at) or header.name
    )
    if not name:
        raise corrupt(at, "an entry has no name")
    return name


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
