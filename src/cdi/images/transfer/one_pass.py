"""
Move a disk in one pass, in order: from a stream, from a compressed file, out of an archive.

Stages are iterables, and the slow ones run ahead in threads of their own. Elsewhere: the stages
(`forward`), and when it is this way (`attempt`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

from cdi.images.codecs.codec import Codec
from cdi.images.formats import inspect
from cdi.images.formats.image import Image
from cdi.images.transfer import fetch, forward, pipeline
from cdi.images.transfer.journal import Progress, StreamPoint
from cdi.images.transfer.request import Result
from cdi.images.transfer.way import Way, insist_fits, insist_within, is_archive, limit_of


class OnePass(Way):
    """An attempt that goes forward."""

    def _forward(self, codec: Codec | None, stream: Stream | None) -> Result:
        """Transfer in one pass; `stream` is what a source without ranges is sending."""
        self._meter.stage = "transferring"
        earlier = self._earlier() if stream is None else stream.earlier
        point = (earlier and earlier.stream) or StreamPoint(0, 0)
        name = codec.name if codec else None
        tap: forward.Tap | None = None
        start = self._start_of(earlier)
        if self._request.algorithm is not None:
            digest, offset = self._start_digest(earlier or Progress())
            tap = forward.Tap(digest, offset, self._note_digest, self._meter)
        with ExitStack() as stack:
            stack.callback(self._halt.set)  # before the threads are waited for
            pieces = fetch.received(stream or self._in_order(start), start, self._meter)
            if stream is not None or tap is not None:
                tapped = pieces if tap is None else tap.pass_on(pieces, start)
                pieces = stack.enter_context(
                    closing(pipeline.ahead(tapped, forward.AHEAD, "fetch"))
                )
            content = forward.content(codec, pieces, start, point, self._meter)
            if self._request.part is not None:
                content = forward.cut_out(
                    self._request.part, content, point.output, drain=tap is not None
                )
            chunks: Iterator[forward.Chunk] = stack.enter_context(
                closing(pipeline.ahead(content, forward.AHEAD, "decompress"))
            )
            if point.decoder is not None:
                disk = forward.Disk.restored(point.decoder)
                virtual_size = disk.decoder.virtual_size
            else:
                image, chunks, name = self._look(codec, chunks, stack)
                if not image.native:
                    self._copy_instead(image)
                virtual_size = image.virtual_size if image.native else None
                disk = forward.Disk(image.format if image.native else "raw")
            insist_fits(self._request, virtual_size)
            job = stack.enter_context(self._open(virtual_size, earlier if point.output else None))
            limit = limit_of(self._request)  # once, as looking at the target for each piece costs
            size = forward.write(
                chunks,
                disk,
                job,
                lambda so_far: insist_within(limit, so_far),
                codec.name if codec else None,
            )
            if tap is not None:
                self._verify(tap.hexdigest())
            return self._finish(job, disk.name, name, size)

    def _start_of(self, earlier: Progress | None) -> int:
        """Where in the source to go on after an earlier attempt."""
        if earlier is None or earlier.stream is None:
            return 0
        if self._request.algorithm is None:
            return earlier.stream.source
        return min(earlier.stream.source, self._start_digest(earlier)[1])

    def _look(
        self, codec: Codec | None, chunks: Iterator[forward.Chunk], stack: ExitStack
    ) -> tuple[Image, Iterator[forward.Chunk], str | None]:
        """Look at the content's first bytes: the image, all of the content, its compression."""
        name = codec.name if codec else None
        part = self._request.part
        size = part.size if part else self._source.size if codec is None else None
        if codec is None and part is None:
            head, chunks = forward.peek(chunks, inspect.HEAD)
        else:
            head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
            name, size = inner, size if inner == name else None
        if self._request.looks_inside and is_archive(head):
            from cdi.images.formats import bundle

            found = bundle.Bundle((chunk.data for chunk in chunks), self._request.disk)
            taken = map(forward.Chunk, found.data())
            chunks = stack.enter_context(closing(pipeline.ahead(taken, forward.AHEAD, "take out")))
            head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
            name, size = inner, found.size if inner == name else None
        return self._inspect(head, size, at_random=False), chunks, name

    def _in_order(self, start: int) -> Iterator[bytes]:
        request_bytes, most = self._bytes_at_once(), self._request.connections
        return fetch.in_order(self._source, start, self._whole, request_bytes, most, self._meter)


class Stream:
    """An open stream whose first piece has been looked at, or which goes on after `earlier`."""

    def __init__(
        self, first: bytes, rest: Iterator[bytes], earlier: Progress | None = None
    ) -> None:
        self._first, self._rest = first, rest
        self.earlier = earlier

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._rest
