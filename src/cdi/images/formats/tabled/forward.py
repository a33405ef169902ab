"""
An image from its bytes in file order: the beginning, the middle and the end of one pass.

Here: bytes that are held until the header is complete, and when the walk over the rest begins.
Elsewhere: the walk, and the state to go on from (each format's `forward`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from cdi.images.passing import Passing
from cdi.images.writes import Packed, Write


class Sized(Protocol):
    """A header that has been read."""

    @property
    def virtual_size(self) -> int: ...


class Walk(Protocol):
    """The way through everything behind an image's header."""

    @property
    def header(self) -> Sized: ...

    @property
    def passing(self) -> Passing: ...

    def advance(self, piece: bytes) -> Iterator[Write | Packed]: ...
    def finish(self) -> Iterator[Write | Packed]: ...


W = TypeVar("W", bound=Walk)


class Forward(ABC, Generic[W]):
    """The decoder of one image; see `layout.ForwardDecoder`."""

    header_bytes: int  # that suffice to begin

    def __init__(self) -> None:
        self._head = b""  # bytes before the header is complete
        self._walk: W | None = None

    @abstractmethod
    def _begin(self, head: bytes) -> tuple[W, bytes]:
        """Return the walk behind a header, and the bytes of `head` that it has not seen."""

    @property
    def virtual_size(self) -> int | None:
        """Size of the disk, None before the header was seen."""
        return self._walk.header.virtual_size if self._walk else None

    @property
    def fed(self) -> int:
        """How many bytes of the file were taken: where to continue after `snapshot`."""
        return self._walk.passing.end if self._walk else len(self._head)

    def feed(self, piece: bytes) -> Iterator[Write | Packed]:
        """Take the next bytes; see `layout.ForwardDecoder`."""
        if self._walk is None:
            self._head += piece
            if len(self._head) < self.header_bytes:
                return
            head, self._head = self._head, b""
            self._walk, piece = self._begin(head)
        yield from self._walk.advance(piece)

    def finish(self) -> Iterator[Write | Packed]:
        """End the file; raises TruncatedSource where something was still to come."""
        if self._walk is None:
            head, self._head = self._head, b""
            self._walk, rest = self._begin(head)
            yield from self._walk.advance(rest)
        yield from self._walk.finish()
