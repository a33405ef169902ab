"""
Move a disk in one pass, in order: from a stream, from a compressed file, out of an archive.

Stages are iterables, and the slow ones run ahead in threads of their own. Elsewhere: the stages
(`forward`), and when it is this way (`transfer`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.codecs.codec import Codec, codec_for, codec_named
from cdi.images.formats import inspect
from cdi.images.formats.image import Image, needs_copy
from cdi.images.formats.inspect import is_archive
from cdi.images.layout import Parking
from cdi.images.sources.source import Continued, Source, Unpacked
from cdi.images.transfer import copying, fetch, forward, pipeline, verifying
from cdi.images.transfer.attempt import (
    EMPTY,
    Attempt,
    Work,
    insist_fits,
    insist_within,
    limit_of,
)
from cdi.images.transfer.progress import Progress, StreamPoint
from cdi.images.transfer.result import Result

log = logging.getLogger(__name__)


def streamed(attempt: Attempt) -> Result:
    """Transfer one stream, from its beginning or from where an earlier attempt has come to."""
    source = attempt.source
    earlier = attempt.earlier() if isinstance(source, Continued) else None
    if earlier is not None and earlier.stream is not None:
        codec = codec_named(earlier.stream.codec) if earlier.stream.codec else None
        pieces = source.stream(_start_of(attempt, earlier))
        return _OnePass(attempt).run(codec, Stream(b"", pieces, earlier))
    pieces = source.stream()
    first = fetch.beginning(pieces)
    if not first:
        raise errors.NotADisk(EMPTY)
    codec = None if isinstance(source, Unpacked) else codec_for(first)
    return _OnePass(attempt).run(codec, Stream(first, pieces))


def forward_through(attempt: Attempt, codec: Codec | None = None) -> Result:
    """Transfer what a source with ranges holds, from its beginning to its end."""
    return _OnePass(attempt).run(codec, None)


class _OnePass:
    """An attempt that goes forward."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self._meter = attempt, attempt.meter
        self._job: Work | None = None

    def run(self, codec: Codec | None, stream: Stream | None) -> Result:
        """Transfer in one pass; `stream` is what a source without ranges is sending."""
        attempt = self._attempt
        self._meter.stage = "transferring"
        earlier = attempt.earlier() if stream is None else stream.earlier
        point = (earlier and earlier.stream) or StreamPoint(0, 0)
        name = codec.name if codec else None
        tap = self._tap(earlier)
        with ExitStack() as stack:
            stack.callback(attempt.halt.set)  # before the threads are waited for
            pieces = self._pieces(stream, _start_of(attempt, earlier), tap, stack)
            chunks = self._chunks(codec, pieces, earlier, tap, stack)
            if point.decoder is not None:
                disk = forward.Disk.restored(point.decoder)
                virtual_size = disk.decoder.virtual_size
            else:
                image, chunks, name = look(attempt, codec, chunks, stack)
                in_order = image.native and (not image.tables_late or _has_room(attempt, codec))
                if not in_order:
                    self._copy_instead(image)
                virtual_size = image.virtual_size if in_order else None
                disk = forward.Disk(image.format if in_order else "raw")
            insist_fits(attempt.request, virtual_size)
            job = stack.enter_context(attempt.open(virtual_size, earlier if point.output else None))
            self._job = job
            _give_room(disk, job, virtual_size, attempt.request.size)
            limit = limit_of(attempt.request)  # once: looking at the target for each piece costs
            size = forward.write(
                chunks,
                disk,
                job,
                lambda so_far: insist_within(limit, so_far),
                codec.name if codec else None,
            )
            if tap is not None:
                verifying.verify(attempt, tap.hexdigest())
            made = attempt.finish(job, disk.name, name, size)
        if attempt.copied:
            copying.note_complete(attempt.request, attempt.source.identity, made)
        return made

    def _tap(self, earlier: Progress | None) -> forward.Tap | None:
        """Return what computes the digest, if one is wanted."""
        if self._attempt.request.algorithm is None:
            return None
        digest, offset = verifying.begun(self._attempt.request, earlier)
        return forward.Tap(digest, offset, self._note_digest, self._meter)

    def _pieces(
        self, stream: Stream | None, start: int, tap: forward.Tap | None, stack: ExitStack
    ) -> Iterator[bytes]:
        """Yield the source's bytes from `start` on; who reads them need not wait for the source."""
        pieces = fetch.received(stream or self._in_order(start), start, self._meter)
        if tap is not None:
            pieces = tap.pass_on(pieces, start)
        elif stream is None or self._is_handed:
            return pieces
        return stack.enter_context(closing(pipeline.ahead(pieces, forward.AHEAD, "fetch")))

    @property
    def _is_handed(self) -> bool:
        """Whether what comes waits for us anyway: a thread more would only pass it on."""
        return isinstance(self._attempt.source, Continued)

    def _chunks(
        self,
        codec: Codec | None,
        pieces: Iterator[bytes],
        earlier: Progress | None,
        tap: forward.Tap | None,
        stack: ExitStack,
    ) -> Iterator[forward.Chunk]:
        """Yield the content of `pieces` from where `earlier` has come to."""
        attempt, start = self._attempt, _start_of(self._attempt, earlier)
        point = (earlier and earlier.stream) or StreamPoint(0, 0)
        marking = is_continued(attempt.source)
        content = forward.content(codec, pieces, start, point, self._meter, marking=marking)
        if attempt.request.part is not None:
            content = forward.cut_out(
                attempt.request.part, content, point.output, drain=tap is not None
            )
        if codec is None and self._is_handed:
            return content
        return stack.enter_context(closing(pipeline.ahead(content, forward.AHEAD, "decompress")))

    def _note_digest(self, offset: int, state: bytes | None) -> None:
        if self._job is not None:
            self._job.journal.digested(offset, state)

    def _copy_instead(self, image: Image) -> None:
        """Go on with a temporary copy: what was read of the source so far goes into it.

        Raises NeedsScratch where there is no room for one.
        """
        if self._attempt.request.scratch is None:
            raise needs_copy(image)
        log.info("taking a temporary copy", extra={"format": image.format})
        attempt = self._attempt
        attempt.request, attempt.copied = copying.copy_of(attempt.request), True

    def _in_order(self, start: int) -> Iterator[bytes]:
        attempt = self._attempt
        request_bytes, most = attempt.bytes_at_once(), attempt.request.connections
        return fetch.in_order(
            attempt.source, start, attempt.whole, request_bytes, most, self._meter
        )


def _has_room(attempt: Attempt, codec: Codec | None) -> bool:
    """Whether all of an image can lie behind its own disk for a while; see `_give_room`."""
    request, size = attempt.request, attempt.source.size
    if codec is not None or size is None or request.preallocate or request.update:
        return False
    folder = request.target.parent
    return not targets.is_device(request.target) and size < targets.free_space(folder)


def _give_room(disk: forward.Disk, job: Work, virtual_size: int | None, size: int | None) -> None:
    """Let a decoder that has to keep much do so in the file in which the disk grows."""
    if virtual_size is None or not isinstance(job.target, targets.FileTarget):
        return
    room = job.target.behind(max(virtual_size, size or 0))
    if room is not None and isinstance(disk.decoder, Parking):
        disk.decoder.park_in(room)


def look(
    attempt: Attempt, codec: Codec | None, chunks: Iterator[forward.Chunk], stack: ExitStack
) -> tuple[Image, Iterator[forward.Chunk], str | None]:
    """Look at the content's first bytes: the image, all of the content, its compression."""
    request = attempt.request
    name = codec.name if codec else None
    part = request.part
    size = part.size if part else attempt.source.size if codec is None else None
    if codec is None and part is None:
        head, chunks = forward.peek(chunks, inspect.HEAD)
    else:
        head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
        name, size = inner, size if inner == name else None
    if request.looks_inside and is_archive(head):
        from cdi.images.formats import bundle

        found = bundle.Bundle((chunk.data for chunk in chunks), request.disk)
        taken = map(forward.Chunk, found.data())
        chunks = stack.enter_context(closing(pipeline.ahead(taken, forward.AHEAD, "take out")))
        head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
        name, size = inner, found.size if inner == name else None
    return attempt.inspect(head, size, at_random=False), chunks, name


def _start_of(attempt: Attempt, earlier: Progress | None) -> int:
    """Where in the source to go on after an earlier attempt."""
    if earlier is None or earlier.stream is None:
        return 0
    if attempt.request.algorithm is None:
        return earlier.stream.source
    return min(earlier.stream.source, verifying.begun(attempt.request, earlier)[1])


def is_continued(source: Source) -> bool:
    """Whether a stream would go on in a later run where this one has come to."""
    return isinstance(source, Continued) and bool(source.identity.version)


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
