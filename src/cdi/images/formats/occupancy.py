"""Blocks that lie on top of each other, in formats that other programs convert."""

from __future__ import annotations

from array import array

from cdi.images import errors

# 64 MiB of slots: 2 TiB of file in blocks of 64 KiB. A larger file of smaller blocks is rather
# made to exhaust our memory than to hold a disk.
_MAX_SLOTS = 1 << 25


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
