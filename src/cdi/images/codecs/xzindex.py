"""
Where the blocks of an .xz object are, read from the indexes at the ends of its streams.

A few small reads of a ranged source. Blocks are returned only where decoding them in parallel is
possible and worth it: many streams, an enormous index or a large dictionary are better decoded
forward, for which the result is empty. A damaged index raises CorruptImage: no decoder would
accept the object, and now is the cheapest time to say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.images import errors, layout
from cdi.images.codecs import decoder, xz, xzfields

STREAMS = 64  # each costs two or three reads
BLOCKS = 100_000  # 2 TiB in blocks of the default size; about 20 MB of memory
INDEX = 2 << 20  # 100,000 records of 18 bytes at most
PADDING = 1 << 20
TAIL = 4096  # read for a footer; mostly holds the index too
LIMIT = 1 << 62  # no honest disk is larger, and sums of such numbers stay below 2^63


@dataclass(frozen=True, slots=True)
class _Stream:
    start: int
    check: int
    records: list[tuple[int, int]]
    dictionary: int


class _BetterForwardError(Exception):
    """The object may be good, but not for this."""


def output_size(reader: layout.Reader, size: int) -> int | None:
    """Return how many bytes the object holds; None where that is dear to find out."""
    streams = _readable_streams(reader, size)
    return sum(length for stream in streams for _, length in stream.records) or None


def _readable_streams(reader: layout.Reader, size: int) -> list[_Stream]:
    try:
        return _streams(reader, size)
    except _BetterForwardError:
        return []
    except xzfields.MalformedError as broken:
        raise errors.CorruptImage(
            f"the xz data is damaged: {broken}; check the file at the source"
        ) from broken


def blocks(reader: layout.Reader, size: int, memory: int) -> tuple[decoder.Block, ...]:
    """Return all blocks in order, or none. `memory` bounds the dictionary of one block."""
    streams = _readable_streams(reader, size)
    if any(stream.dictionary > memory for stream in streams):
        return ()
    found: list[decoder.Block] = []
    output = 0
    for stream in streams:
        start = stream.start + xzfields.HEADER_SIZE
        for unpadded, uncompressed in stream.records:
            end, output_end = start + _padded(unpadded), output + uncompressed
            detail = xz.block_detail(stream.check)
            found.append(decoder.Block(start, end, output, output_end, detail, stream.dictionary))
            start, output = end, output_end
        if output > LIMIT:
            raise errors.CorruptImage("the xz index claims an impossible size")
    return tuple(found)


def _streams(reader: layout.Reader, size: int) -> list[_Stream]:
    """Find the streams from the last to the first; return them in order."""
    found: list[_Stream] = []
    end = size
    blocks_left = BLOCKS
    while end:
        stream = _stream_ending(reader, _without_padding(reader, end))
        blocks_left -= len(stream.records)
        if len(found) == STREAMS or blocks_left < 0:
            raise _BetterForwardError
        found.append(stream)
        end = stream.start
    return found[::-1]


def _without_padding(reader: layout.Reader, end: int) -> int:
    """Return where the stream before `end` ends; 0 if there is none."""
    limit = max(0, end - PADDING)
    while end:
        piece = reader(max(0, end - TAIL), min(TAIL, end))
        rest = len(piece.rstrip(b"\0"))
        if rest:
            # A footer ends in "YZ"; padding comes in fours.
            return end - (len(piece) - rest) // 4 * 4
        end -= len(piece)
        if end < limit:
            raise _BetterForwardError
    raise xzfields.MalformedError("padding without a stream")


def _stream_ending(reader: layout.Reader, end: int) -> _Stream:
    if end < 2 * xzfields.HEADER_SIZE + 8:
        raise xzfields.MalformedError("too short for a stream")
    tail = reader(max(0, end - TAIL), min(TAIL, end))
    if tail[-2:] != xzfields.FOOTER_MAGIC:
        raise errors.TruncatedSource(
            "the xz data does not end as it should; check that the file at the source is complete"
        )
    footer = xzfields.parse_footer(tail[-xzfields.FOOTER_SIZE :])
    index_end = end - xzfields.FOOTER_SIZE
    index_start = index_end - footer.index_size
    if index_start < xzfields.HEADER_SIZE:
        raise xzfields.MalformedError("an index larger than its stream")
    if footer.index_size > INDEX:
        raise _BetterForwardError
    in_tail = len(tail) - xzfields.FOOTER_SIZE - footer.index_size
    if in_tail >= 0:
        index = tail[in_tail : -xzfields.FOOTER_SIZE]
    else:
        index = reader(index_start, footer.index_size)
    records = xzfields.parse_index(index)
    start = index_start - sum(_padded(unpadded) for unpadded, _ in records) - xzfields.HEADER_SIZE
    if start < 0 or any(uncompressed > LIMIT for _, uncompressed in records):
        raise xzfields.MalformedError("blocks larger than their stream")
    head = reader(start, min(xzfields.HEADER_SIZE + xzfields.BLOCK_HEADER_MAX, end - start))
    if xzfields.parse_stream_header(head[: xzfields.HEADER_SIZE]) != footer.check:
        raise xzfields.MalformedError("the footer contradicts its stream")
    dictionary = _dictionary(head[xzfields.HEADER_SIZE :]) if records else 0
    return _Stream(start, footer.check, records, dictionary)


def _dictionary(block: bytes) -> int:
    """Return what the block that begins so needs; the others of its stream hardly differ."""
    return xzfields.parse_block_header(block[: block[0] * 4 + 4]).dictionary


def _padded(unpadded: int) -> int:
    return (unpadded + 3) // 4 * 4
