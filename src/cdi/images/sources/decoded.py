"""
Another source's stream, with what it was packed in for the way taken off.

For copies of volumes: whatever is in them is the disk, or the archive, byte for byte, and a disk
that happens to begin like a compressed file stays as it is. `DecodedSource` takes a compression
off, `MemberSource` takes the disk out of an archive of a volume's files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

from cdi.images import errors
from cdi.images.codecs.codec import Decoder
from cdi.images.formats import tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.sources.source import Identity, Source

_ZEROS: Final = bytes(1 << 20)

Opening = Callable[[threading.Event], Source]


class _Wrapped:
    """A stream made of another one; see `source.Source`."""

    ranged = False
    once = True  # see `source.Once`
    unpacked = True  # see `source.Unpacked`
    size: int | None = None

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self.identity = Identity(inner.identity.location)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield all bytes; see `source.Source`."""
        if start != 0 or end is not None:
            raise ValueError("a stream can only be read as a whole")
        return self._pieces()

    def close(self) -> None:
        """Let go of the other source."""
        self._inner.close()

    def _pieces(self) -> Iterator[bytes]:
        raise NotImplementedError


class DecodedSource(_Wrapped):
    """What a compressed stream holds."""

    def __init__(self, inner: Source, decoder: Decoder) -> None:
        super().__init__(inner)
        self._decoder = decoder

    def _pieces(self) -> Iterator[bytes]:
        for piece in self._inner.stream():
            yield from self._decoder.feed(piece)
        yield from self._decoder.finish()


class MemberSource(_Wrapped):
    """The first file of a tar archive whose name has `word` in it, holes filled with zeros."""

    def __init__(self, inner: Source, word: str) -> None:
        super().__init__(inner)
        self._word = word

    def _pieces(self) -> Iterator[bytes]:
        walker = tar.Walker(self._inner.stream())
        entry = next((each for each in walker if self._is_meant(each)), None)
        if entry is None:
            raise errors.NotADisk(f"there is no file {self._word} in the archive that was sent")
        at = 0
        for offset, piece in walker.placed():
            yield from _hole(offset - at)
            yield piece
            at = offset + len(piece)
        yield from _hole(entry.size - at)
        walker.drain()

    def _is_meant(self, entry: Entry) -> bool:
        return entry.kind is Kind.FILE and self._word in entry.name


def decoded(opening: Opening, decoder: Callable[[], Decoder]) -> Opening:
    """Return what opens the content of what `opening` opens."""
    return lambda halt: DecodedSource(opening(halt), decoder())


def member(opening: Opening, word: str) -> Opening:
    """Return what opens one file of the archive that `opening` opens."""
    return lambda halt: MemberSource(opening(halt), word)


def _hole(length: int) -> Iterator[bytes]:
    while length > 0:
        yield _ZEROS[:length]
        length -= len(_ZEROS)
