"""
A sparse VMDK from its bytes in file order, without seeking and without a copy of the file.

Here: where the header ends, and the state to go on from in another process. Elsewhere: the pass
itself (`tabled.forward`), what happens to the bytes behind the header (`walk`), and whether the
disk is whole and harmless (`inspection`, which comes before).

Raises CorruptImage, UnsafeImage, TruncatedSource; NeedsScratch where tables lie behind grains.
"""

from __future__ import annotations

import struct
import zlib

from isal import isal_zlib

from cdi.images.formats.tabled.agenda import packed_runs, unpacked_runs
from cdi.images.formats.tabled.forward import Forward
from cdi.images.formats.vmdk.header import HEADER_BYTES
from cdi.images.formats.vmdk.walk import Walk, header_of

AGENDA_LIMIT = 32 << 20  # bytes of memory for what is known to come

_VERSION = 1
_HEAD, _WALK = b"h", b"w"
# at, directory entries to come, directory's sector by marker and by footer, end; four lengths
_POSITION = struct.Struct("<QIQQ?IIII")
_MAX_BYTES = 4 << 20  # written every few seconds: beyond this better at a quieter moment


class ForwardVmdk(Forward[Walk]):
    """The decoder of one image. With `state`, it goes on where `snapshot` was taken."""

    header_bytes = HEADER_BYTES

    def __init__(self, *, agenda_limit: int = AGENDA_LIMIT, state: bytes | None = None) -> None:
        super().__init__()
        self._limit = agenda_limit
        if state is not None:
            self._restore(state)

    def snapshot(self) -> bytes | None:
        """Return the state to continue from, or None while it would be large."""
        walk = self._walk
        if walk is None:
            return bytes([_VERSION]) + _HEAD + self._head
        tail = b"".join(walk.passing.parts(walk.at, walk.passing.end))
        parts = (
            packed_runs([walk.current] if walk.current else []),
            packed_runs(sorted(walk.agenda)),
            walk.fingerprints.state(),
            tail,
        )
        lengths = [len(part) for part in parts]
        if sum(lengths) > _MAX_BYTES:
            return None
        position = _POSITION.pack(
            walk.at, walk.directory_left, walk.directory_at, walk.footer_at, walk.ended, *lengths
        )
        body = b"".join((walk.raw, position, *parts))
        return bytes([_VERSION]) + _WALK + isal_zlib.compress(body, 1)

    def _begin(self, head: bytes) -> tuple[Walk, bytes]:
        return Walk(header_of(head), self._limit), head

    def _restore(self, state: bytes) -> None:
        if state[:1] != bytes([_VERSION]) or state[1:2] not in (_HEAD, _WALK):
            raise ValueError("this state was written by another version")
        if state[1:2] == _HEAD:
            self._head = state[2:]
            return
        body = zlib.decompress(state[2:])
        self._walk = walk = Walk(body[:HEADER_BYTES], self._limit)
        at, *facts, ended = _POSITION.unpack_from(body, HEADER_BYTES)[:5]
        walk.directory_left, walk.directory_at, walk.footer_at = facts
        walk.ended = ended
        offset, parts = HEADER_BYTES + _POSITION.size, []
        for length in _POSITION.unpack_from(body, HEADER_BYTES)[5:]:
            parts.append(body[offset : offset + length])
            offset += length
        walk.continue_at(at, parts[3], unpacked_runs(parts[0]), unpacked_runs(parts[1]))
        walk.fingerprints.restore(parts[2])
