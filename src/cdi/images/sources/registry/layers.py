"""
One layer of an image, gone through once: the files that a search is after, and what the layer
hides of those beneath it.

A layer is a tar archive of changes. A file `.wh.NAME` says that NAME is gone, `.wh..wh..opq` that
all of its directory is; both are about the layers beneath, never about their own. Names are taken
apart, never opened: absolute ones count from the image's root, and ones that lead upwards are
passed over. Offsets and sizes are in bytes of the decompressed layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from cdi.images import errors
from cdi.images.codecs.codec import HEAD, Codec, codec_for
from cdi.images.formats import tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.sources.registry.manifest import Descriptor
from cdi.images.sources.source import Source, read

# A compressed layer in which a file was found is read on to its end to see whether there is
# another, but not if that would mean to fetch much of the disk twice.
READ_ON = 16 << 20

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_MOST_NAMES = 10_000

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: the files right in a directory, or just one path."""

    path: Path
    within: bool

    def covers(self, path: Path) -> bool:
        """Whether this is one of the files."""
        return (path[:-1] if self.within else path) == self.path

    def __str__(self) -> str:
        return "/" + "/".join(self.path)


@dataclass(slots=True)
class Findings:
    """What one layer has to say about what is sought."""

    files: dict[str, Entry] = field(default_factory=dict)  # by name; anything but directories
    instead: Entry | None = None  # what stands in the place of the directory
    hidden: set[str] = field(default_factory=set)  # names that are gone from layers beneath
    opaque: bool = False  # nothing of the layers beneath is left


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, opened anew for every reading."""

    descriptor: Descriptor
    open: Callable[[], Source]

    def look(self, sought: Sought) -> Findings:
        """Go through the layer; verified if it has nothing of what is sought."""
        with closing(self.open()) as source:
            pieces: Iterator[bytes] | None = None
            if source.ranged and source.size:
                head = read(source, 0, min(HEAD, source.size))
                if codec_for(head) is None:
                    found = _collected(tar.walk_at(_reader(source), source.size), sought)
                    if found.files or found.instead:
                        return found
            else:
                pieces = source.stream()
            return self._looked_through(pieces or source.stream(), sought)

    def _looked_through(self, pieces: Iterator[bytes], sought: Sought) -> Findings:
        passed = _Passed(pieces, self.descriptor.checksum)
        codec, content = _decompressed(passed)

        def enough() -> bool:
            return codec is not None and self.descriptor.size - passed.count > READ_ON

        walker = tar.Walker(content)
        found = _collected(walker, sought, enough)
        if found.files and enough():
            return found
        walker.drain()
        passed.verify()
        return found


def path_of(name: str) -> Path | None:
    """Take a name apart; None for one that leads upwards."""
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    return None if ".." in parts else parts


def _collected(
    entries: Iterable[Entry], sought: Sought, enough: Callable[[], bool] = lambda: False
) -> Findings:
    found = Findings()
    for entry in entries:
        path = path_of(entry.name)
        if not path:
            continue
        _note(found, sought, path, entry)
        if len(found.files) + len(found.hidden) > _MOST_NAMES:
            raise errors.UnsafeImage(f"a layer of the image has too many files in {sought}")
        if entry.kind is Kind.FILE and found.files and enough():
            break
    return found


def _note(found: Findings, sought: Sought, path: Path, entry: Entry) -> None:
    *above, name = path
    directory = tuple(above)
    if name == _OPAQUE:
        found.opaque |= _is_above(directory, sought.path, or_same=sought.within)
    elif name.startswith(_WHITEOUT):
        gone = (*directory, name.removeprefix(_WHITEOUT))
        if _is_above(gone, sought.path, or_same=True):
            found.opaque = True
        elif sought.covers(gone):
            found.hidden.add(gone[-1])
    elif sought.covers(path):
        if entry.kind is Kind.DIRECTORY:
            found.files.pop(name, None)
            found.hidden.add(name)  # of a file beneath nothing is left
        else:
            found.files[name] = entry
    elif entry.kind is not Kind.DIRECTORY and _is_above(path, sought.path, or_same=sought.within):
        found.opaque = True
        if path == sought.path:
            found.instead = entry


def _is_above(path: Path, other: Path, *, or_same: bool) -> bool:
    """Whether `path` is a directory on the way to `other`."""
    return path == other[: len(path)] and (or_same or len(path) < len(other))


def _reader(source: Source) -> Callable[[int, int], bytes]:
    return lambda offset, length: read(source, offset, length)


class _Passed:
    """Pieces of a layer as they pass by: counted and hashed."""

    def __init__(self, pieces: Iterator[bytes], checksum: tuple[str, str]) -> None:
        self._pieces = pieces
        self._algorithm, self._want = checksum
        self._digest = hashlib.new(self._algorithm)
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.count += len(piece)
            self._digest.update(piece)
            yield piece

    def verify(self) -> None:
        got = self._digest.hexdigest()
        if got != self._want:
            raise errors.ChecksumMismatch(self._algorithm, self._want, got)


def _decompressed(pieces: Iterable[bytes]) -> tuple[Codec | None, Iterator[bytes]]:
    """Return the compression, and the content of all the pieces."""
    rest = iter(pieces)
    head = b""
    while len(head) < HEAD and (piece := next(rest, b"")):
        head += piece
    codec = codec_for(head)
    return codec, _content(codec, head, rest)


def _content(codec: Codec | None, head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if codec is None:
        yield head
        yield from rest
        return
    decoder = codec.decoder()
    yield from decoder.feed(head)
    for piece in rest:
        yield from decoder.feed(piece)
    yield from decoder.finish()
