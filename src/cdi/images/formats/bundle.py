"""
A disk that travels in a tar: a virtual appliance (OVA), or an archive that holds just one disk.

Which disk: where there is an OVF description, wherever it lies in the archive, the only one that it
lists, or the one whose file was asked for. Without a description the only file that is a disk, or
the one that was asked for. Several, and none asked for, is an error that names them: guessing could
import the wrong one for years. An archive without any disk is refused, with what to do; none is
ever taken for a raw disk.

`locate` reads headers and the first bytes of files, where the archive can be read at random;
`Bundle` takes the disk out of one that comes in order, and checks it and the description against
the manifest wherever that lies. Files that the description names are beside it, in its directory.
Formats and compression of the disk's file are others' business. Raises ContentError,
InvalidRequest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.formats import contents, manifest, ovf, quoting, tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.layout import Part, Reader

_ENTRIES: Final = 10_000  # of an appliance: its disks may be many, but not that many
_LOOK: Final = 64 << 10  # bytes of a file that tell whether it is a disk
_UNKNOWN = ("sha256", "sha1")  # computed as long as no manifest has been seen


@dataclass(frozen=True, slots=True)
class Located:
    """Where the disk is. `verifiable`: the appliance has a manifest to check it against."""

    name: str
    part: Part
    verifiable: bool


def locate(read: Reader, size: int, disk: str | None = None) -> Located:
    """Find the disk in an archive of `size` bytes; `disk` is its file's name, if it matters."""
    found = _Contents(disk)
    for entry in tar.walk_at(read, size, entries=_ENTRIES):
        found.note(entry)
    description = found.description
    if description is not None:
        text = read(description.start, _checked_length(description, ovf.LONGEST))
        found.describe(text)
        entry = found.entry_of(found.described())
        return Located(_plain(entry), _part(entry), found.has_manifest)
    for entry in found.files:
        if contents.may_be_disk(_plain(entry), read(entry.start, min(_LOOK, entry.stored))):
            found.take_for_disk(entry)
    entry = found.only_disk()
    return Located(_plain(entry), _part(entry), verifiable=False)


class _Contents:
    """What has been seen of an archive, and which of it is wanted."""

    def __init__(self, asked: str | None) -> None:
        self._asked = asked
        self.files: list[Entry] = []
        self.disks: list[Entry] = []  # files that are disks, by themselves
        self.description: Entry | None = None
        self.has_manifest = False
        self._listed: list[str] = []  # by the description
        self._container_image = False

    def note(self, entry: Entry) -> None:
        if entry.kind is not Kind.FILE:
            return
        self.files.append(entry)
        self.has_manifest = self.has_manifest or _is_manifest(entry)
        if _is_description(entry) and self.description is None:
            self.description = entry
        if _plain(entry) in contents.OF_CONTAINER_IMAGES:
            self._container_image = True

    def describe(self, text: bytes) -> None:
        """Learn which disks the description lists."""
        assert self.description is not None  # noqa: S101 - whose text this is
        folder = _folder(_plain(self.description))
        listed = (folder + disk.file for disk in ovf.parse_disks(text))
        self._listed = list(dict.fromkeys(listed))

    def described(self) -> str:
        """Return the name of the one disk that is wanted of those the description lists."""
        if not self._listed:
            raise errors.NotADisk("the source is a virtual appliance (OVA) without any disk in it")
        return self._chosen(self._listed, "appliance")

    def entry_of(self, name: str) -> Entry:
        for entry in self.files:
            if _plain(entry) == name:
                return entry
        raise _missing(name)

    def take_for_disk(self, entry: Entry) -> None:
        self.disks.append(entry)

    def only_disk(self) -> Entry:
        """Return the wanted one of the files that are disks, where nothing describes them."""
        if self._container_image:
            raise errors.NotADisk(
                "the source is an archive of a container image; push it to a registry and import "
                "it by docker://, or give its file as oci-archive: on the command line"
            )
        if not self.disks:
            raise errors.NotADisk(
                f"the source is a tar archive of {len(self.files)} files, none of which is a "
                "disk; for a volume with files say contentType: archive (--archive)"
            )
        names = [_plain(entry) for entry in self.disks]
        return self.entry_of(self._chosen(names, "archive"))

    def is_wanted(self, name: str) -> bool:
        """Whether a disk that comes before any description may be the wanted one."""
        return self._asked is None or name == self._asked or name.endswith(f"/{self._asked}")

    def _chosen(self, names: list[str], whole: str) -> str:
        if self._asked is not None:
            found = [name for name in names if self.is_wanted(name)]
            if not found:
                raise errors.InvalidRequest(
                    f"the {whole} has no disk {self._asked!r}, only {_list_of(names)}"
                )
            names = [name for name in found if name == self._asked] or found
        if len(names) > 1:
            raise errors.InvalidRequest(
                f"the {whole} has {len(names)} disks: {_list_of(names)}; say which one is wanted "
                "(URL#NAME in a DataVolume, --disk NAME on the command line)"
            )
        return names[0]


class Bundle:
    """An archive that comes in order, read up to the first byte of its disk."""

    def __init__(self, pieces: Iterator[bytes], disk: str | None = None) -> None:
        self._walker = tar.Walker(pieces, entries=_ENTRIES)
        self._contents = _Contents(disk)
        self._promised: manifest.Digests = {}
        self._have: dict[str, dict[str, digests.Digest]] = {}
        self._looked_at: tuple[bytes, ...] = ()  # first pieces of the disk that were read already
        self._disk = self._find()
        self.name = _plain(self._disk)
        self.size = self._disk.size

    def data(self) -> Iterator[bytes]:
        """Yield the disk's file, and read on to the archive's end.

        Raises ChecksumMismatch there, or what else speaks against this disk, after its last
        byte: nothing may be committed before.
        """
        sums = self._sums_for(self.name)
        at = 0
        for offset, piece in self._pieces():
            yield from _hashed(_zeros(offset - at), sums)
            yield from _hashed((piece,), sums)
            at = offset + len(piece)
        yield from _hashed(_zeros(self._disk.size - at), sums)
        self._have[self.name] = sums
        for entry in self._walker:
            self._pass(entry)
        self._walker.drain()
        self._insist_on_choice()
        self._verify()

    def _find(self) -> Entry:
        """Go to the disk: the one that the description before it names, or else the first."""
        for entry in self._walker:
            self._contents.note(entry)
            if self._contents.description is not None and self._contents.description != entry:
                if entry.kind is Kind.FILE and _plain(entry) == self._contents.described():
                    return entry
            elif self._is_disk(entry) and self._contents.is_wanted(_plain(entry)):
                self._contents.take_for_disk(entry)
                return entry
            self._look(entry)
        if self._contents.description is not None:
            raise _missing(self._contents.described())
        return self._contents.only_disk()

    def _is_disk(self, entry: Entry) -> bool:
        if entry.kind is not Kind.FILE or _is_description(entry) or _is_manifest(entry):
            return False
        if entry.extents is None:
            self._looked_at = tuple(_beginning(self._walker.data(), _LOOK))
        return contents.may_be_disk(_plain(entry), b"".join(self._looked_at))

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        if not self._looked_at:
            yield from self._walker.placed()
            return
        at = 0
        for piece in chain(self._looked_at, self._walker.data()):
            yield at, piece
            at += len(piece)

    def _pass(self, entry: Entry) -> None:
        """Look at an entry behind the disk."""
        self._contents.note(entry)
        if self._contents.description is None and self._is_disk(entry):
            self._contents.take_for_disk(entry)
        self._look(entry)

    def _look(self, entry: Entry) -> None:
        """Read the entries that say something of the others."""
        if self._contents.description == entry:
            self._contents.describe(self._whole(entry, ovf.LONGEST))
        elif _is_manifest(entry):
            folder = _folder(_plain(entry))
            length = _checked_length(entry, manifest.LONGEST)
            data = b"".join(self._walker.data())[:length]
            promised = manifest.parse_manifest(data)
            self._promised |= {folder + name: digest for name, digest in promised.items()}
        self._looked_at = ()

    def _whole(self, entry: Entry, longest: int) -> bytes:
        """Return a small file, and remember its digests."""
        _checked_length(entry, longest)
        data = b"".join(self._walker.data())
        sums = self._sums_for(_plain(entry))
        for each in sums.values():
            each.update(data)
        self._have[_plain(entry)] = sums
        return data

    def _insist_on_choice(self) -> None:
        """All of the archive is known now: was it the right disk?"""
        if self._contents.description is None:
            self._contents.only_disk()
        elif (named := self._contents.described()) != self.name:
            raise errors.InvalidRequest(
                f"the appliance's disk is {_list_of([named])}, which comes behind "
                f"{_list_of([self.name])}; say which one is wanted (URL#NAME in a DataVolume, "
                "--disk NAME on the command line)"
            )

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


def _beginning(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield pieces until they have `count` bytes together."""
    for piece in pieces:
        yield piece
        count -= len(piece)
        if count <= 0:
            return


def _list_of(files: list[str]) -> str:
    return ", ".join(quoting.quoted(name.encode("utf-8", "replace")) for name in files) or "none"


def _missing(name: str) -> errors.CorruptImage:
    shown = quoting.quoted(name.encode("utf-8", "replace"))
    return errors.CorruptImage(
        f"the appliance's description names the disk {shown}, which is not in the archive"
    )


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


def _folder(name: str) -> str:
    """The directory that a file is in, with a slash at its end; none at the top."""
    return name[: name.rfind("/") + 1]


def _is_description(entry: Entry) -> bool:
    return _is_named(entry, ".ovf")


def _is_manifest(entry: Entry) -> bool:
    return _is_named(entry, ".mf")


def _is_named(entry: Entry, suffix: str) -> bool:
    if entry.kind is not Kind.FILE or not entry.name.lower().endswith(suffix):
        return False
    return not contents.is_side_file(_plain(entry))


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
