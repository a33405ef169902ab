"""
How a disk format tells where guest bytes are.

A *host* offset counts in the image file, a *guest* offset in the disk that it describes. What an
image does not write is zero: readers yield data only, and the target sees to the zeros.

Two ways to read. At random: the format reads its tables first, then names `Unit`s, each one run
of host bytes that can be fetched and decoded by itself, in any order and in parallel. Forward:
the format is fed all bytes in file order, once. Offsets and sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from cdi.images.writes import Buffer, Change, Zeros

Reader: TypeAlias = Callable[[int, int], bytes]  # (offset, length) -> exactly these bytes

# Guest bytes that are worth a share of the work, however few host bytes they are. The end of a disk
# is often empty, and would otherwise be left to one worker while the others are idle.
SHARE = 32 << 20

# Units may begin so far before the end of the one before, as packed clusters share a sector.
OVERLAP = 512


@dataclass(frozen=True, slots=True)
class Unit:
    """Host bytes [start, end) that decode to guest bytes without any others.

    `covers` lists the guest ranges (start, end) that are complete once the unit has been decoded
    and written, in guest order. `decode` takes the bytes [start, end) in order, in pieces of any
    size, and yields what to write; it raises CorruptImage. It keeps no state between calls.
    """

    start: int
    end: int
    covers: tuple[tuple[int, int], ...]
    decode: Callable[[Iterable[Buffer]], Iterator[Change]]


def shifted(units: Iterable[Unit], distance: int) -> Iterator[Unit]:
    """Yield units of a file that begins `distance` bytes into what is fetched."""
    for unit in units:
        yield replace(unit, start=unit.start + distance, end=unit.end + distance)


def clearing(start: int, end: int) -> Unit:
    """Return a unit of no host bytes, which clears the guest bytes [start, end)."""

    def decode(_pieces: Iterable[Buffer]) -> Iterator[Zeros]:
        yield Zeros(start, end)

    return Unit(start, start, ((start, end),), decode)


@dataclass(frozen=True, slots=True)
class Extent:
    """Guest bytes [start, end) of a raw disk; a `zero` one need not be fetched."""

    start: int
    end: int
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside the source's content: the disk, where it travels in an archive.

    `start` and `stored` are in bytes of the decompressed content: where the file's bytes begin
    there, and how many are stored. `size` is the file's own size. `extents` is None for a file
    stored whole; for a sparse one it lists (offset, length) of what is stored, in file order.
    """

    start: int
    stored: int
    size: int
    extents: tuple[tuple[int, int], ...] | None = None

    def as_json(self) -> list[Any]:
        """Itself as it comes back from JSON, where pairs are lists."""
        stored = None if self.extents is None else [list(each) for each in self.extents]
        return [self.start, self.stored, self.size, stored]


class Ranges(Protocol):
    """A set of guest bytes; see `intervals.Intervals`."""

    def covers(self, start: int, end: int) -> bool:
        """Whether all of [start, end) is in the set."""


class RandomLayout(Protocol):
    """A disk whose tables have been read and found sane."""

    @property
    def virtual_size(self) -> int: ...

    def units(self, done: Ranges) -> Iterator[Unit]:
        """Yield what is left to fetch, roughly in host order, leaving out what `done` covers.

        Lazy, and bounded in memory whatever the disk's size. A unit is at most a few MiB of
        host bytes where the format allows.
        """


class Room(Protocol):
    """Where a forward decoder may keep bytes of the file for a while. Raises NoSpace."""

    def put(self, offset: int, data: Buffer) -> None:
        """Keep bytes of the file that begin at `offset` of it."""

    def get(self, offset: int, length: int) -> bytes:
        """Return bytes that were put there."""

    def free(self, start: int, end: int) -> None:
        """These are not needed any more."""


@runtime_checkable
class Parking(Protocol):
    """A forward decoder that may have to keep more than it can in memory."""

    def park_in(self, room: Room) -> None:
        """Take this room, before anything is fed in this process."""


class ForwardDecoder(Protocol):
    """A disk decoded from its bytes in file order."""

    @property
    def virtual_size(self) -> int | None:
        """The disk's size; None until the header was seen, or while the disk has no known end."""

    def feed(self, piece: bytes) -> Iterator[Change]:
        """Take the next bytes of the file and yield what can be written now.

        Raises CorruptImage, UnsafeImage, or NeedsScratch when more must be parked than fits.
        """

    def finish(self) -> Iterator[Change]:
        """The file has ended: yield the rest. Raises TruncatedSource if the image has not."""

    def snapshot(self) -> bytes | None:
        """Everything needed to continue in another process after the bytes fed so far.

        None where that is not possible just now (clusters are parked).
        """
