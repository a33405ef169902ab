"""
An image as inspectors see it, what they say about it, and the limits that every format shares.

A `Window` is the first bytes of an image, and the rest if that can be reached; an `Image` what was
found. The checks are in one module per format, the choice between formats in `inspect`. Offsets and
sizes are in bytes of the image file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from cdi.images import errors
from cdi.images.layout import RandomLayout, Reader

# Tables are walked in pieces of this size, so that memory stays flat whatever their length.
TABLE_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Ranged:
    """A source that can be read at any offset, and how: sizes in bytes, tables read at a time."""

    reader: Reader
    size: int
    unit_bytes: int
    table_readers: int


Layout: TypeAlias = Callable[[Ranged], RandomLayout]


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose header was found harmless.

    `format` is qemu's name for it. `virtual_size` is None as long as it cannot be known from the
    bytes at hand: a raw stream of unknown length, or a header that comes later than the head.
    `native` images are decoded by this package; the others go through `qemu.convert`, and only
    after `inspect.inspect_file` has passed the complete file. `checks_left` names the checks that
    needed bytes out of reach. `flat` says that the first `virtual_size` bytes of the file are
    the disk itself, whatever follows them (a fixed VHD): they may be copied like a raw disk.
    """

    format: str
    virtual_size: int | None
    native: bool = False
    flat: bool = False
    layout: Layout | None = field(default=None, compare=False)  # None: it lies there as it is
    checks_left: tuple[str, ...] = ()

    def at_random(self, source: Ranged) -> RandomLayout:
        """Return how a native or flat image is read at any offset. Reads its first tables."""
        if self.layout is not None:
            return self.layout(source)
        from cdi.images.formats import raw

        size = source.size if self.native else self.virtual_size or source.size
        return raw.RandomRaw(size, unit_bytes=source.unit_bytes)


class OutOfReachError(Exception):
    """The bytes come later than the head, and the source can only be read forward."""


class Window:
    """An image's head, its length if known, and a way to read elsewhere if there is one."""

    def __init__(self, head: bytes, size: int | None, reader: Reader | None) -> None:
        self.head = head
        self.size = size
        self._reader = reader

    @property
    def length(self) -> int:
        """The image's length. Raises OutOfReachError for a stream that does not say."""
        if self.size is None:
            raise OutOfReachError("end")
        return self.size

    def read(self, offset: int, length: int, what: str) -> bytes:
        """Return exactly the bytes [offset, offset + length), which hold `what`.

        Raises TruncatedSource beyond the end of the image, OutOfReachError behind the head of a
        stream.
        """
        end = offset + length
        self.insist_on(end, what)
        if end <= len(self.head):
            return self.head[offset:end]
        if self._reader is None:
            raise OutOfReachError(what)
        return self._reader(offset, length)

    def insist_on(self, end: int, what: str) -> None:
        """Raise TruncatedSource where the image is known to end before `end`."""
        if self.size is not None and end > self.size:
            raise errors.TruncatedSource(
                f"the image ends at byte {self.size}, but its {what} reaches to byte {end}; "
                "the file is cut short or damaged, fetch it again"
            )

    def pieces(self, offset: int, length: int, what: str) -> Iterator[bytes]:
        """Yield the bytes [offset, offset + length) in order, TABLE_PIECE at a time."""
        for start in range(0, length, TABLE_PIECE):
            yield self.read(offset + start, min(TABLE_PIECE, length - start), what)

    def trailer(self, length: int) -> bytes | None:
        """Return the last `length` bytes, or None where they cannot be reached now."""
        if self.size is None or self.size < length:
            return None
        try:
            return self.read(self.size - length, length, "trailer")
        except OutOfReachError:
            return None
