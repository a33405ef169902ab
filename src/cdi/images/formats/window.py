"""
An image as inspectors see it: its first bytes, and the rest if that can be reached.

The checks are in one module per format, the choice between formats in `inspect`. Offsets and sizes
are in bytes of the image file.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdi.images import errors
from cdi.images.layout import Reader

# Tables are walked in pieces of this size, so that memory stays flat whatever their length.
TABLE_PIECE = 1 << 20


class OutOfReachError(Exception):
    """The bytes come later than the head, and the source can only be read forward."""


class Window:
    """An image's head, its length if known, and a way to read elsewhere if there is one."""

    def __init__(self, head: bytes, size: int | None, reader: Reader | None) -> None:
        self.head = head
        self.size = size
        self._reader = reader

    @property
    def only_forward(self) -> bool:
        """Whether there is no way to read elsewhere."""
        return self._reader is None

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
