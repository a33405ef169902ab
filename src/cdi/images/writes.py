"""What is written to a disk: guest bytes at guest offsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Write:
    """Guest bytes to be written at guest `offset`. The buffer is not changed afterwards."""

    offset: int
    data: Buffer

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


class Packed:
    """Like a Write, but its bytes are made when they are asked for: by whoever writes them.

    One thread at a time. Asking raises what `make` raises.
    """

    __slots__ = ("_data", "_make", "end", "offset")

    def __init__(self, offset: int, length: int, make: Callable[[], Buffer]) -> None:
        self.offset, self.end = offset, offset + length
        self._make: Callable[[], Buffer] | None = make
        self._data: Buffer = b""

    @property
    def data(self) -> Buffer:
        """The bytes; what they are made of is let go of."""
        if self._make is not None:
            self._data, self._make = self._make(), None
        return self._data


@dataclass(frozen=True, slots=True)
class Zeros:
    """Guest bytes [offset, end) that are zero whatever the target held there before.

    Named only where a disk is brought up to date; a new disk is zero where nothing is written.
    """

    offset: int
    end: int


Change: TypeAlias = Write | Packed | Zeros


def clipped(data: Buffer, length: int) -> Buffer:
    """Cut the disk's last block to the `length` bytes up to the end of the disk."""
    return data if len(data) <= length else memoryview(data)[:length]
