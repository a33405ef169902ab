"""
A qcow2 image from its bytes in file order, without seeking and without a copy of the file.

Here: the beginning (the header), the end, and the state to go on from in another process.
Elsewhere: what happens to the bytes in between (`walk`).

Raises CorruptImage, UnsafeImage, TruncatedSource; NeedsScratch where too much is parked.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdi.images.formats.qcow2 import state as states
from cdi.images.formats.qcow2.header import HEAD_BYTES, Header, parse_header
from cdi.images.formats.qcow2.walk import Walk
from cdi.images.layout import Write

SPILL_LIMIT = 32 << 20


class ForwardQcow2:
    """The decoder of one image. With `state`, it goes on where `snapshot` was taken."""

    def __init__(
        self,
        header: Header | None = None,
        *,
        spill_limit: int = SPILL_LIMIT,
        state: bytes | None = None,
    ) -> None:
        self._limit = spill_limit
        self._head = b""  # bytes before the header is complete
        self._walk: Walk | None = None
        if state is not None:
            self._restore(state)
        elif header is not None:
            self._walk = Walk(header, spill_limit)

    @property
    def virtual_size(self) -> int | None:
        """Size of the disk, None before the header was seen."""
        return self._walk.header.virtual_size if self._walk else None

    @property
    def fed(self) -> int:
        """How many bytes of the file were taken: where to continue after `snapshot`."""
        return self._walk.passing.end if self._walk else len(self._head)

    def feed(self, piece: bytes) -> Iterator[Write]:
        """Take the next bytes; see `layout.ForwardDecoder`."""
        if self._walk is None:
            self._head += piece
            if len(self._head) < HEAD_BYTES:
                return
            piece = self._begin()
        yield from self._walk_on(piece)

    def finish(self) -> Iterator[Write]:
        """End the file; raises TruncatedSource where something was still to come."""
        if self._walk is None:
            yield from self._walk_on(self._begin())
        if self._walk is not None:
            yield from self._walk.finish()

    def snapshot(self) -> bytes | None:
        """Return the state to continue from, or None while it would be large."""
        if self._walk is None:
            return states.state_of_head(self._head)
        return states.state_of(self._walk)

    def _begin(self) -> bytes:
        """Start the walk; return the bytes that it has not seen."""
        self._walk = Walk(parse_header(self._head[:HEAD_BYTES], None), self._limit)
        head, self._head = self._head, b""
        return head

    def _walk_on(self, piece: bytes) -> Iterator[Write]:
        if self._walk is not None:
            yield from self._walk.advance(piece)

    def _restore(self, state: bytes) -> None:
        self._head, self._walk = states.parse_state(state, self._limit)
