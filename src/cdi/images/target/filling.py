"""
Zeros for every byte of a target that nobody writes.

They are put where the disk has them, and in the end wherever nobody wrote. Any thread may call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cdi.images.intervals import Intervals
from cdi.images.writes import Buffer

# A slow device may take a second for so much, and whoever is told to stop has five.
FILL_STEP: Final = 16 << 20
# Fewer zeros than this are written along with the data around them.
_FEW_ZEROS: Final = 256 << 10

# Zeros are looked for in blocks of this size: what file systems allocate at least.
BLOCK: Final = 4096
ZEROS: Final = bytes(1 << 20)


class Filling:
    """What of one target has been written, and how the rest becomes zero."""

    def __init__(
        self,
        clear: Callable[[int, int], bool],
        put: Callable[[list[Buffer], int], None],
        size_for: Callable[[int], int],
    ) -> None:
        """`clear` makes a range zero where that can be had without writing; `put` writes.

        `size_for` a disk of so many bytes, so many of the target have to be written or zeroed.
        """
        self._clear, self._put, self._size_for = clear, put, size_for
        self._lock = threading.Lock()
        self._written = Intervals()

    def wrote(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Ranges hold what they should."""
        with self._lock:
            for start, end in ranges:
                self._written.add(start, end)

    def written(self) -> tuple[tuple[int, int], ...]:
        """Return all ranges that hold what they should."""
        with self._lock:
            return tuple(self._written)

    def zero(self, start: int, end: int) -> None:
        """Make [start, end) zero."""
        if end - start < _FEW_ZEROS or not self._clear(start, end):
            for offset in range(start, end, len(ZEROS)):
                self._put([ZEROS[: min(len(ZEROS), end - offset)]], offset)
        self.wrote([(start, end)])

    def rest(self, size: int) -> Iterator[tuple[int, int]]:
        """Make zero what nobody wrote for a disk of `size` bytes; yield each range that is done."""
        for start, end in list(self._written.missing(0, self._size_for(size))):
            for at in range(start, end, FILL_STEP):
                until = min(end, at + FILL_STEP)
                self.zero(at, until)
                yield at, until
