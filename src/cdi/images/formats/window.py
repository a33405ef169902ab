"""
The bytes of an image as an inspector sees them: the head always, the rest if it can be reached.

A `Window` joins the first bytes with a reader of any range, where there is one, and turns reads
that leave the image into errors. `Occupancy` finds blocks that lie on top of each other.
Offsets and lengths are in bytes of the image file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from cdi.images import errors
from cdi.images.layout import Reader

# Tables are walked in pieces of this size, so that memory stays flat whatever their length.
TABLE_PIECE = 1 << 20

# 64 MiB of slots: 2 TiB of file in blocks of 64 KiB. A larger file of smaller blocks is rather
# made to exhaust our memory than to hold a disk.
_MAX_SLOTS = 1 << 25


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


def left_over(name: str, check: Callable[[], None]) -> tuple[str, ...]:
    """Run a check; return its name if its bytes are out of reach, nothing if it has passed."""
    try:
        check()
    except OutOfReachError:
        return (name,)
    return ()


class Occupancy:
    """Which parts of a file are taken by blocks of one length.

    Two blocks overlap only if they start in the same or in adjacent slots of that length, so
    one small number per slot is enough: 2 bytes for every `length` bytes of file.
    """

    def __init__(self, name: str, size: int, length: int, align: int) -> None:
        self._name = name
        self._size = size
        self._length = length
        self._align = align
        slots = size // length + 2
        if slots > _MAX_SLOTS:
            raise errors.UnsafeImage(
                f"the {name} image of {size} bytes has too many blocks of {length} bytes to check"
            )
        # Where in its slot a block starts, in units of `align` counted from 1; 0 is free.
        self._starts = array("H", [0]) * slots

    def take(self, start: int) -> None:
        """Mark [start, start + length). Raises TruncatedSource or CorruptImage."""
        if start + self._length > self._size:
            raise errors.TruncatedSource(
                f"the {self._name} image ends at byte {self._size}, but maps a block of "
                f"{self._length} bytes at byte {start}; the file is cut short or damaged"
            )
        slot, rest = divmod(start, self._length)
        unit, odd = divmod(rest, self._align)
        before = self._starts[slot - 1] if slot else 0
        after = self._starts[slot + 1]
        if odd or self._starts[slot] or before > unit + 1 or 0 < after < unit + 1:
            raise errors.CorruptImage(
                f"the {self._name} image maps byte {start} of its file twice: blocks overlap"
            )
        self._starts[slot] = unit + 1
