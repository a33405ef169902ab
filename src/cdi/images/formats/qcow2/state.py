"""
The state of a forward decoder as bytes, for a journal.

Here: version 1 of that form: fixed numbers, then the rest of a cluster or table, the runs that
are to come and the bytes that are parked, compressed. Elsewhere: what they mean (`walk`).
Not for bytes from strangers: it is read back only by the one who wrote it. Raises ValueError.
"""

from __future__ import annotations

import struct
import zlib

from isal import isal_zlib

from cdi.images.formats.qcow2.header import Compression, Header
from cdi.images.formats.qcow2.spill import Spill
from cdi.images.formats.qcow2.walk import Walk
from cdi.images.formats.tabled.agenda import packed_runs, unpacked_runs

_VERSION = 1
_HEAD, _WALK = b"h", b"w"
_HEADER = struct.Struct("<BBQQIQIB?")
_POSITION = struct.Struct("<Q?QIIII")  # at, L1 seen, L2 left; lengths of the four parts
_PIECE = struct.Struct("<QQ?")  # start, end, whether it is zero

# Written every few seconds: beyond this much it is better to wait for a quieter moment.
_MAX_PARKED = 1 << 20
_MAX_BYTES = 4 << 20


def state_of_head(head: bytes) -> bytes:
    """Write the state before the header is complete."""
    return bytes([_VERSION]) + _HEAD + head


def state_of(walk: Walk) -> bytes | None:
    """Write the state of a walk, or None while it would be large."""
    if walk.spill.is_elsewhere:
        return None  # what is taken from there is gone, and a later run would ask for it again
    tail = b"".join(walk.passing.parts(walk.at, walk.passing.end))
    if walk.spill.bytes > _MAX_PARKED or walk.agenda.bytes + len(tail) > _MAX_BYTES:
        return None
    header = walk.header
    parts = (
        packed_runs([walk.current] if walk.current else []),
        packed_runs(sorted(walk.agenda)),
        _parked(walk.spill),
        tail,
    )
    body = (
        _HEADER.pack(
            header.version, header.cluster_bits, header.virtual_size, header.l1_offset,
            header.l1_declared, header.refcount_table_offset, header.refcount_table_clusters,
            header.compression, header.extended_l2,
        )
        + _POSITION.pack(walk.at, walk.l1_seen, walk.l2_left, *map(len, parts))
        + b"".join(parts)
    )  # fmt: skip
    return bytes([_VERSION]) + _WALK + isal_zlib.compress(body, 1)


def parse_state(state: bytes, limit: int) -> tuple[bytes, Walk | None]:
    """Read a state back: the head where there is no walk yet, and the walk."""
    if state[:1] != bytes([_VERSION]) or state[1:2] not in (_HEAD, _WALK):
        raise ValueError("this state was written by another version")
    if state[1:2] == _HEAD:
        return state[2:], None
    body = zlib.decompress(state[2:])
    walk = Walk(_header(body), limit)
    at, l1_seen, l2_left, *lengths = _POSITION.unpack_from(body, _HEADER.size)
    offset = _HEADER.size + _POSITION.size
    parts = []
    for length in lengths:
        parts.append(body[offset : offset + length])
        offset += length
    walk.continue_at(
        at, parts[3], unpacked_runs(parts[0]), unpacked_runs(parts[1]), _unparked(parts[2])
    )
    walk.l1_seen, walk.l2_left = l1_seen, l2_left
    return b"", walk


def _header(body: bytes) -> Header:
    fields = _HEADER.unpack_from(body)
    return Header(
        version=fields[0],
        cluster_bits=fields[1],
        virtual_size=fields[2],
        l1_offset=fields[3],
        l1_declared=fields[4],
        refcount_table_offset=fields[5],
        refcount_table_clusters=fields[6],
        compression=Compression(fields[7]),
        extended_l2=fields[8],
    )


def _parked(spill: Spill) -> bytes:
    return b"".join(
        _PIECE.pack(start, end, piece is None) + (piece or b"")
        for start, end, piece in spill.items()
    )


def _unparked(data: bytes) -> Spill:
    spill = Spill()
    offset = 0
    while offset < len(data):
        start, end, zero = _PIECE.unpack_from(data, offset)
        offset += _PIECE.size
        piece = None if zero else data[offset : offset + end - start]
        offset += len(piece or b"")
        spill.put_back(start, end, piece)
    return spill
