"""
A source's bytes in order, as fast as it gives them: for whatever reads forward.

A source with ranges is read ahead over several connections. What arrives is counted. `unwrapped`
is for compression inside of compression. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing

from cdi.images import errors
from cdi.images.codecs.codec import codec_for
from cdi.images.sources.source import Source
from cdi.images.transfer import forward, pipeline
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.threads import Pace

_MEMORY = 48 << 20  # bytes fetched ahead
_TELLING = 512  # bytes that tell any compression


def in_order(
    source: Source, start: int, end: int, request: int, connections: int, meter: Meter
) -> Iterator[bytes]:
    """Yield [start, end) of a ranged source, asking for about `request` bytes at a time."""
    part = min(request, _MEMORY // (2 * connections))
    pace = Pace(connections, time.monotonic())
    return iter(
        pipeline.InOrder(
            source.stream,
            start,
            end,
            part,
            # One thread reads what the others have fetched ahead.
            lambda: pace.look(time.monotonic(), meter.fetched, meter.waited(), 1),
        )
    )


def beginning(pieces: Iterator[bytes]) -> bytes:
    """Take the first pieces, joined, until they tell how the rest is compressed.

    A pipe and a connection may give a byte at a time. Empty if there is nothing at all.
    """
    first = next(pieces, b"")
    while first and len(first) < _TELLING and (piece := next(pieces, b"")):
        first += piece
    return first


def received(pieces: Iterable[bytes], offset: int, meter: Meter) -> Iterator[bytes]:
    """Pass on what arrives from `offset` of the source on, and count it."""
    for piece in meter.timed("fetch", pieces):
        offset += len(piece)
        meter.received(len(piece))
        meter.reached(offset)
        yield piece


def unwrapped(
    name: str | None, chunks: Iterator[forward.Chunk], peeked: int, stack: ExitStack
) -> tuple[bytes, Iterator[forward.Chunk], str | None]:
    """Return the first `peeked` content bytes, all chunks, and the name of the compression.

    What the codec `name` gave may be compressed once more: that is taken off by a thread, which
    is left on the `stack`.
    """
    head, chunks = forward.peek(chunks, peeked)
    inner = codec_for(head)
    if inner is None:
        return head, chunks, name
    again = forward.content_again(inner, chunks)
    chunks = stack.enter_context(closing(pipeline.ahead(again, forward.AHEAD, "decompress again")))
    head, chunks = forward.peek(chunks, peeked)
    name = f"{inner.name}.{name}" if name else inner.name
    if codec_for(head) is not None:
        raise errors.UnsupportedFormat(
            f"the source is compressed more than twice ({name}); unpack it first"
        )
    return head, chunks, name
