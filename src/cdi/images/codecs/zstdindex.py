"""
Where the frames of a seekable .zst object are, read from the seek table at its end.

The table is a skippable frame (magic 5e 2a 4d 18) that ends in the number of frames, a
descriptor and the magic b1 ea 92 8f. Decoders that do not know it pass over it, so whatever does
not look like a sound table is no error: there just are no frames to decode in parallel. The
table's own checksums are not used; those within the frames are.
"""

from __future__ import annotations

import dataclasses
import struct

from cdi.images import layout
from cdi.images.codecs import decoder, zstd

TABLE_MAGIC = b"\x5e\x2a\x4d\x18"
FOOTER_MAGIC = b"\xb1\xea\x92\x8f"
FOOTER = struct.Struct("<IB4s")
HEADER = struct.Struct("<4sI")
FRAMES = 200_000  # about 40 MB of memory
HAS_CHECKSUMS, RESERVED = 0x80, 0x7C


def frames(reader: layout.Reader, size: int, window: int) -> tuple[decoder.Block, ...]:
    """Return all frames in order, or none. `window` bounds the memory that one frame needs."""
    if size < HEADER.size + FOOTER.size:
        return ()
    count, descriptor, magic = FOOTER.unpack(reader(size - FOOTER.size, FOOTER.size))
    if magic != FOOTER_MAGIC or descriptor & RESERVED or count > FRAMES:
        return ()
    entry = struct.Struct("<II4x" if descriptor & HAS_CHECKSUMS else "<II")
    table_size = HEADER.size + count * entry.size + FOOTER.size
    table_start = size - table_size
    if table_start < 0:
        return ()
    table = reader(table_start, table_size - FOOTER.size)
    if HEADER.unpack_from(table) != (TABLE_MAGIC, table_size - HEADER.size):
        return ()
    found = _blocks(entry, table[HEADER.size :])
    if not found or found[-1].end > table_start:
        return ()
    needed = _window(reader, found[0])
    if needed is None or needed > window:
        return ()
    return tuple(dataclasses.replace(block, memory=needed) for block in found)


def _blocks(entry: struct.Struct, table: bytes) -> list[decoder.Block]:
    found: list[decoder.Block] = []
    start = output = 0
    for compressed, uncompressed in entry.iter_unpack(table):
        end, output_end = start + compressed, output + uncompressed
        if uncompressed and not compressed:
            return []
        if uncompressed:
            found.append(decoder.Block(start, end, output, output_end))
        start, output = end, output_end
    return found


def _window(reader: layout.Reader, block: decoder.Block) -> int | None:
    """Return the frame's window; those of the other frames hardly differ."""
    head = reader(block.start, min(zstd.HEADER_MAX, block.end - block.start))
    return zstd.window_of(head) if len(head) == zstd.HEADER_MAX else None
