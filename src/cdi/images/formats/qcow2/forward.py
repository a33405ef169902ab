"""
A qcow2 image from its bytes in file order, without seeking and without a copy of the file.

Here: where the header ends, and the state to go on from in another process. Elsewhere: the pass
itself (`tabled.forward`), and what happens to the bytes behind the header (`walk`).

Raises CorruptImage, UnsafeImage, TruncatedSource; NeedsScratch where too much is parked.
"""

from __future__ import annotations

from cdi.images.formats.qcow2 import state as states
from cdi.images.formats.qcow2.header import HEAD_BYTES, Header, parse_header
from cdi.images.formats.qcow2.walk import Walk
from cdi.images.formats.tabled.forward import Forward
from cdi.images.layout import Room

SPILL_LIMIT = 32 << 20
_COUNTS = 50  # reference counts, which are not parked, take less than this part of a file


def comes_too_late(header: Header) -> bool:
    """Whether it is certain from the header that too much has to be parked.

    Before the L1 table nothing is known but where the reference counts are. A disk that has grown
    beyond its first table has it behind everything else.
    """
    skipped = header.refcount_table_clusters * header.cluster_size
    before = header.l1_offset - header.cluster_size - skipped
    return before - before // _COUNTS > SPILL_LIMIT


class ForwardQcow2(Forward[Walk]):
    """The decoder of one image. With `state`, it goes on where `snapshot` was taken."""

    header_bytes = HEAD_BYTES

    def __init__(
        self,
        header: Header | None = None,
        *,
        spill_limit: int = SPILL_LIMIT,
        state: bytes | None = None,
    ) -> None:
        super().__init__()
        self._limit = spill_limit
        self._room: Room | None = None
        if state is not None:
            self._head, self._walk = states.parse_state(state, spill_limit)
        elif header is not None:
            self._walk = Walk(header, spill_limit)

    def park_in(self, room: Room) -> None:
        """See `layout.Parking`."""
        self._room = room
        if self._walk is not None:
            self._walk.spill.room = room

    def snapshot(self) -> bytes | None:
        """Return the state to continue from, or None while it would be large."""
        if self._walk is None:
            return states.state_of_head(self._head)
        return states.state_of(self._walk)

    def _begin(self, head: bytes) -> tuple[Walk, bytes]:
        walk = Walk(parse_header(head[:HEAD_BYTES], None), self._limit)
        walk.spill.room = self._room
        return walk, head
