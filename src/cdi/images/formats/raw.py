"""
A raw disk: host bytes are guest bytes.

Here: its layout and its forward decoder. Which bytes are zero is not looked at; the target
leaves holes for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from cdi.images import errors
from cdi.images.formats.image import Image, Ranged
from cdi.images.layout import Ranges, Unit
from cdi.images.writes import Buffer, Write

UNIT_BYTES = 4 << 20

_STATE = struct.Struct(">B?QQ")  # version, whether the size is known, size, position
_STATE_VERSION = 1


class RandomRaw:
    """The layout of a raw disk of `size` bytes: units aligned to `unit_bytes`."""

    def __init__(self, size: int, *, unit_bytes: int = UNIT_BYTES) -> None:
        self.virtual_size = size
        self._unit = min(unit_bytes, UNIT_BYTES)

    def units(self, done: Ranges) -> Iterator[Unit]:
        """Yield what is left to fetch; see `layout.RandomLayout`."""
        return units_between(0, self.virtual_size, self._unit, done)


def layout_of(image: Image, source: Ranged) -> RandomRaw:
    """Return the layout of an image whose disk lies in the file as it is."""
    size = source.size if image.native else image.virtual_size or source.size
    return RandomRaw(size, unit_bytes=source.unit_bytes)


def units_between(start: int, end: int, step: int, done: Ranges) -> Iterator[Unit]:
    """Yield units for [start, end) of a raw disk, cut at multiples of `step`."""
    while start < end:
        after = min((start // step + 1) * step, end)
        if not done.covers(start, after):
            yield _unit(start, after)
        start = after


def _unit(start: int, end: int) -> Unit:
    def decode(pieces: Iterable[Buffer]) -> Iterator[Write]:
        at = start
        for piece in pieces:
            if piece:
                yield Write(at, piece)
                at += len(piece)
        if at != end:
            raise errors.TruncatedSource(f"the source ended at {at}, {end} was asked for")

    return Unit(start, end, ((start, end),), decode)


class ForwardRaw:
    """A raw disk from its bytes in file order. Without `size` the disk ends with its bytes."""

    def __init__(self, size: int | None = None, *, state: bytes | None = None) -> None:
        self.virtual_size = size
        self._at = 0
        if state is not None:
            self._restore(state)

    def feed(self, piece: bytes) -> Iterator[Write]:
        """Pass the next bytes on."""
        if not piece:
            return
        start = self._at
        self._at += len(piece)
        if self.virtual_size is not None and self._at > self.virtual_size:
            raise errors.CorruptImage(
                f"the source goes on beyond the {self.virtual_size} bytes of the disk"
            )
        yield Write(start, piece)

    def finish(self) -> Iterator[Write]:
        """End the disk, or insist on its size."""
        if self.virtual_size is None:
            self.virtual_size = self._at
        if self._at < self.virtual_size:
            raise errors.TruncatedSource(
                f"the source ended after {self._at} of {self.virtual_size} bytes"
            )
        yield from ()

    def snapshot(self) -> bytes:
        """Return the position."""
        size = self.virtual_size
        return _STATE.pack(_STATE_VERSION, size is not None, size or 0, self._at)

    def _restore(self, state: bytes) -> None:
        if len(state) != _STATE.size or state[0] != _STATE_VERSION:
            raise ValueError("this state was written by another version")
        _, known, size, self._at = _STATE.unpack(state)
        if known:
            self.virtual_size = size
