"""
A virtual appliance (OVA): a tar of a description, a manifest and disks. Find the one disk.

The description comes first, by the standard. `locate` reads headers only, where the archive can be
read at random; `Appliance` takes the disk out of one that comes in order, and checks it and the
description against the manifest wherever that lies in the archive. Formats and compression of the
disk's file are others' business.

Which disk: the only one the description lists, or the one whose file was asked for. Several, and
none asked for, is an error that names them: guessing could import the wrong one for years.
Raises ContentError, InvalidRequest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.formats import manifest, ovf, quoting, tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.layout import Part, Reader

_ENTRIES = 10_000  # of an appliance: its disks may be many, but not that many
_UNKNOWN = ("sha256", "sha1")  # computed as long as no manifest has been seen


@dataclass(frozen=True, slots=True)
class Located:
    """Where the disk is. `verifiable`: the appliance has a manifest to check it against."""

    name: str
    part: Part
    verifiable: bool


def matches(head: bytes) -> bool:
    """Whether bytes begin with a tar whose first entry is an OVF description."""
    if not tar.matches(head):
        return False
    try:
        return _is_description(next(tar.Walker(iter((head,)), entries=8)))
    except (StopIteration, errors.TransferError):
        return False


def locate(read: Reader, size: int, disk: str | None = None) -> Located:
    """Find the disk in an appliance of `size` bytes; `disk` is its file's name, if it matters."""
    entries = list(_bounded(tar.walk_at(read, size, entries=_ENTRIES)))
    first = entries[0]
    wanted = _chosen(read(first.start, _checked_length(first, ovf.LONGEST)), disk)
    for entry in entries:
        if entry.kind is Kind.FILE and _plain(entry) == wanted:
            return Located(wanted, _part(entry), any(map(_is_manifest, entries)))
    raise _missing(wanted)


class Appliance:
    """An appliance that comes in order, read up to the first byte of its disk."""

    def __init__(self, pieces: Iterator[bytes], disk: str | None = None) -> None:
        self._walker = tar.Walker(pieces, entries=_ENTRIES)
        self._promised: manifest.Digests = {}
        self._have: dict[str, dict[str, digests.Digest]] = {}
        description = self._whole(next(self._walker), ovf.LONGEST)
        self.name = _chosen(description, disk)
        entry = self._entry_of_disk()
        self.size = entry.size
        self._disk = entry

    def data(self) -> Iterator[bytes]:
        """Yield the disk's file, and read on to the archive's end.

        Raises ChecksumMismatch there, after the last byte: nothing may be committed before.
        """
        sums = self._sums_for(self.name)
        at = 0
        for offset, piece in self._walker.placed():
            yield from _hashed(_zeros(offset - at), sums)
            yield from _hashed((piece,), sums)
            at = offset + len(piece)
        yield from _hashed(_zeros(self._disk.size - at), sums)
        self._have[self.name] = sums
        for entry in self._walker:
            self._note(entry)
        self._walker.drain()
        self._verify()

    def _entry_of_disk(self) -> Entry:
        for entry in self._walker:
            if entry.kind is Kind.FILE and _plain(entry) == self.name:
                return entry
            self._note(entry)
        raise _missing(self.name)

    def _note(self, entry: Entry) -> None:
        """Look at an entry that is not the disk: it may be the manifest."""
        if _is_manifest(entry):
            length = _checked_length(entry, manifest.LONGEST)
            data = b"".join(self._walker.data())[:length]
            self._promised |= manifest.parse_manifest(data)

    def _whole(self, entry: Entry, longest: int) -> bytes:
        """Return a small file, and remember its digests."""
        _checked_length(entry, longest)
        data = b"".join(self._walker.data())
        sums = self._sums_for(_plain(entry))
        for each in sums.values():
            each.update(data)
        self._have[_plain(entry)] = sums
        return data

    def _sums_for(self, name: str) -> dict[str, digests.Digest]:
        if self._promised:
            promised = self._promised.get(name)
            return {} if promised is None else {promised[0]: digests.new(promised[0])}
        return {algorithm: digests.new(algorithm) for algorithm in _UNKNOWN}

    def _verify(self) -> None:
        for name, sums in self._have.items():
            algorithm, want = self._promised.get(name, ("", ""))
            if algorithm in sums and (got := sums[algorithm].hexdigest()) != want:
                raise errors.ChecksumMismatch(algorithm, want, got)


def _chosen(description: bytes, asked: str | None) -> str:
    """Return the name of the file that holds the wanted disk."""
    files = list(dict.fromkeys(disk.file for disk in ovf.parse_disks(description)))
    if asked is not None and asked not in files:
        raise errors.InvalidRequest(f"the appliance has no disk {asked!r}, only {_list_of(files)}")
    if asked is not None:
        return asked
    if not files:
        raise errors.NotADisk("the source is a virtual appliance (OVA) without any disk in it")
    if len(files) > 1:
        raise errors.InvalidRequest(
            f"the appliance has {len(files)} disks: {_list_of(files)}; say which one is wanted "
            "(URL#NAME in a DataVolume, --disk NAME on the command line)"
        )
    return files[0]


def _list_of(files: list[str]) -> str:
    return ", ".join(quoting.quoted(name.encode("utf-8", "replace")) for name in files) or "none"


def _missing(name: str) -> errors.CorruptImage:
    shown = quoting.quoted(name.encode("utf-8", "replace"))
    return errors.CorruptImage(
        f"the appliance's description names the disk {shown}, which is not in the archive"
    )


def _bounded(entries: Iterator[Entry]) -> Iterator[Entry]:
    for number, entry in enumerate(entries):
        if not number and not _is_description(entry):
            raise errors.CorruptImage("the appliance does not begin with its description")
        yield entry


def _part(entry: Entry) -> Part:
    return Part(entry.start, entry.stored, entry.size, entry.extents)


def _checked_length(entry: Entry, longest: int) -> int:
    if entry.stored > longest or entry.extents is not None:
        raise errors.UnsafeImage(
            f"{quoting.quoted(entry.name.encode('utf-8', 'surrogateescape'))} in the appliance has "
            f"{entry.stored} bytes, which is absurd"
        )
    return entry.stored


def _plain(entry: Entry) -> str:
    return entry.name.removeprefix("./")


def _is_description(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and entry.name.lower().endswith(".ovf")


def _is_manifest(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and entry.name.lower().endswith(".mf")


def _hashed(
    pieces: Iterator[bytes] | tuple[bytes, ...], sums: dict[str, digests.Digest]
) -> Iterator[bytes]:
    for piece in pieces:
        for each in sums.values():
            each.update(piece)
        yield piece


def _zeros(length: int) -> Iterator[bytes]:
    block = bytes(min(length, 1 << 20))
    while length > 0:
        yield block[:length]
        length -= len(block)
