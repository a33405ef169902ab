"""
One attempt at a transfer, with one open source: look at the first bytes, choose the way, go it.

    source that knows its extents              -> parallel: what matters, in parallel
    changes of a disk, in a qcow2 image        -> parallel: its clusters, in place
    ranged source, disk not compressed         -> parallel: tables first, then units in parallel
    ranged source, raw disk in several blocks  -> parallel: one unit a compressed block
    anything else that can be read forward     -> forward: one pass, stage after stage

Raises NeedsScratch for what can be had neither way.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images import target as targets
from cdi.images.codecs import blocks
from cdi.images.codecs.codec import Codec, codec_for
from cdi.images.formats import inspect, native, signatures
from cdi.images.formats.image import Image
from cdi.images.layout import Part, RandomLayout, Unit
from cdi.images.sources.source import Mapped, PrefersLargeRequests, Source, read
from cdi.images.transfer import fetch, forward, parallel, pipeline, work
from cdi.images.transfer.journal import Progress, StreamPoint
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest

SECTOR = 512
# What is looked at before anything is decided: what an opening http source holds ready anyway.
HEAD = 64 << 10

# A request is about a thousandth of the whole, so that a killed run loses little, less what the
# next run looks at again; within bounds that keep the number of requests, and the memory of many
# connections, small.
_REQUEST_LEAST, _REQUEST_MOST = 64 << 10, 4 << 20
_UNIT_MOST = 1 << 20  # what a killed run has written and not noted, per worker
_TABLE_READERS = 4

_EMPTY = "the source is empty (0 bytes); check the URL, or what was uploaded"


class Attempt:
    """One attempt with one open source."""

    def __init__(
        self, request: TransferRequest, source: Source, meter: Meter, halt: threading.Event
    ) -> None:
        self._request, self._source, self._meter, self._halt = request, source, meter, halt
        self._work: work.Work | None = None
        self._digest: tuple[str, str] | None = None
        meter.total = source.size

    def run(self) -> Result:
        if isinstance(self._source, Mapped):
            return self._mapped(self._source)
        if self._request.base is not None:
            return self._changes(self._request.base)
        if not self._source.ranged:
            pieces = self._source.stream()
            first = next(pieces, b"")
            if not first:
                raise errors.NotADisk(_EMPTY)
            return self._forward(codec_for(first), _Stream(first, pieces))
        if not self._source.size:
            raise errors.NotADisk(_EMPTY)
        head = read(self._source, 0, min(HEAD, self._source.size))
        codec = codec_for(head)
        if codec is None and self._request.part is not None:
            return self._file_at_random(self._request.part)
        if codec is None and self._request.looks_inside and _is_appliance(head):
            return self._appliance()
        if codec is None:
            return self._plain(head)
        if self._request.part is not None:
            return self._forward(codec, None)
        if (layout := self._block_layout(codec, head)) is not None:
            return self._at_random("raw", layout, codec.name, layout.at_once)
        return self._forward(codec, None)

    def _read(self, offset: int, length: int) -> bytes:
        """Return bytes of the disk's file, which may lie inside a larger one."""
        part = self._request.part
        return read(self._source, offset if part is None else part.start + offset, length)

    @property
    def _size(self) -> int:
        """The length of the disk's file."""
        return self._whole if self._request.part is None else self._request.part.stored

    @property
    def _whole(self) -> int:
        """The length of all that the source has."""
        if self._source.size is None:
            raise errors.NeedsScratch("the source does not tell its length")
        return self._source.size

    def _bytes_at_once(self) -> int:
        """Return how many bytes to ask for at once."""
        if self._request.algorithm is not None:
            # What was written but not yet hashed is fetched again after a kill.
            most, usual = _REQUEST_MOST // 8, self._size >> 12
        else:
            most, usual = _REQUEST_MOST, (self._size >> 10) - HEAD
        if isinstance(self._source, PrefersLargeRequests):
            usual = max(usual, self._source.preferred_request)
        return max(_REQUEST_LEAST, min(most, usual))

    # Many connections, in any order.

    def _mapped(self, source: Mapped) -> Result:
        """Transfer a raw disk by its extents, or what has changed in it since."""
        from cdi.images.formats import extents

        unit = min(self._bytes_at_once(), _UNIT_MOST)
        update = self._request.update
        layout = extents.RandomExtents(self._whole, source.extents, unit_bytes=unit, update=update)
        return self._at_random("raw", layout, None)

    def _changes(self, base: str) -> Result:
        """Write the clusters of a qcow2 image over the disk that it builds on."""
        if not self._source.ranged:
            raise errors.NeedsScratch("changes are read from a copy where ranges are not served")
        from cdi.images.formats import qcow2

        head = read(self._source, 0, min(qcow2.HEAD_BYTES, self._whole))
        layout = qcow2.RandomQcow2(
            self._read,
            self._whole,
            qcow2.parse_header(head, self._whole, base=base),
            unit_bytes=min(self._bytes_at_once(), _UNIT_MOST),
            table_readers=_TABLE_READERS,
            delta=True,
        )
        return self._at_random("qcow2", layout, None)

    def _appliance(self) -> Result:
        """Transfer the disk of an appliance that is not compressed."""
        from cdi.images.formats import ova

        found = ova.locate(self._read, self._whole, self._request.disk)
        if found.verifiable and self._request.checksum is None:
            return self._forward(None, None)  # in order, so that the disk can be hashed
        self._request = dataclasses.replace(self._request, part=found.part)
        return self._file_at_random(found.part)

    def _file_at_random(self, part: Part) -> Result:
        """Transfer a file out of an archive that is not compressed."""
        if part.start + part.stored > self._whole:
            raise errors.TruncatedSource("the source ends before the disk in it does")
        head = self._read(0, min(HEAD, part.stored))
        if not head:
            raise errors.NotADisk(_EMPTY)
        if part.extents is not None or codec_for(head) is not None:
            return self._forward(None, None)
        return self._plain(head)

    def _plain(self, head: bytes) -> Result:
        """Transfer a disk that is not compressed."""
        name, layout = self._layout(head)
        if self._request.algorithm is not None and native.streams_well(name):
            return self._forward(None, None)
        return self._at_random(name, layout, None)

    def _at_random(
        self, name: str, layout: RandomLayout, compression: str | None, at_once: int | None = None
    ) -> Result:
        """Transfer unit after unit, `at_once` of them at the same time if there is such a bound."""
        virtual_size = layout.virtual_size
        insist_fits(self._request, virtual_size)
        with self._open(virtual_size, self._earlier()) as job:
            units = layout.units(job.progress.done)
            if self._request.part is not None:
                units = parallel.shifted(units, self._request.part.start)
            self._run_units(units, job, at_once or self._request.connections)
            return self._finish(job, name, compression, virtual_size)

    def _layout(self, head: bytes) -> tuple[str, RandomLayout]:
        """Return format and layout of a disk that is not compressed."""
        unit = min(self._bytes_at_once(), _UNIT_MOST)
        image = self._inspect(head, self._size, at_random=True)
        source = native.Ranged(self._read, self._size, unit, _TABLE_READERS)
        return image.format, native.layout_of(image, source)

    def _block_layout(self, codec: Codec, head: bytes) -> blocks.BlockLayout | None:
        """Return the layout of a raw disk that is compressed in several blocks, else None."""
        if self._request.algorithm is not None:
            return None  # hashing wants the file in order, and blocks are too large to wait for
        layout = blocks.layout_of(codec.name, self._read, self._size)
        if layout is None:
            return None
        content = _first_content(codec, head)
        if codec_for(content) is not None:
            return None
        image = self._inspect(content, layout.virtual_size, at_random=False)
        return layout if image.format == "raw" else None

    def _run_units(self, units: Iterator[Unit], job: work.Work, at_once: int) -> None:
        self._meter.stage = "transferring"
        request_bytes = self._bytes_at_once()
        ordered = None
        if self._request.algorithm is not None:
            digest, offset = self._start_digest(job.progress)
            ordered = parallel.OrderedDigest(digest, offset, self._whole, job.journal, self._meter)
            units = parallel.tiled(units, offset, self._whole, request_bytes)
        try:
            parallel.ParallelPass(
                fetch=self._source.stream,
                units=units,
                target=job.target,
                journal=job.journal,
                meter=self._meter,
                request_bytes=request_bytes,
                connections=min(self._request.connections, at_once),
                halt=self._halt,
                ordered=ordered,
            ).run()
            if ordered is not None:
                self._meter.stage = "verifying"
                self._verify(ordered.hexdigest())
        except parallel.OutOfOrder:
            raise errors.NeedsScratch(
                "the image's clusters are not in file order, so that a digest takes a copy"
            ) from None
        finally:
            if ordered is not None:
                ordered.close()

    # One pass, in order.

    def _forward(self, codec: Codec | None, stream: _Stream | None) -> Result:
        """Transfer in one pass; `stream` is what a source without ranges is sending."""
        self._meter.stage = "transferring"
        earlier = self._earlier() if stream is None else None
        point = (earlier and earlier.stream) or StreamPoint(0, 0)
        name = codec.name if codec else None
        tap: forward.Tap | None = None
        start = point.source
        if self._request.algorithm is not None:
            digest, offset = self._start_digest(earlier or Progress())
            tap = forward.Tap(digest, offset, self._note_digest, self._meter)
            start = min(start, offset)
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
                virtual_size, disk, chunks, name = self._look(codec, chunks, stack)
            insist_fits(self._request, virtual_size)
            job = stack.enter_context(self._open(virtual_size, earlier if point.output else None))
            limit = limit_of(self._request)  # once, as looking at the target for each piece costs
            size = forward.write(chunks, disk, job, lambda so_far: insist_within(limit, so_far))
            if tap is not None:
                self._verify(tap.hexdigest())
            return self._finish(job, disk.name, name, size)

    def _look(
        self, codec: Codec | None, chunks: Iterator[forward.Chunk], stack: ExitStack
    ) -> tuple[int | None, forward.Disk, Iterator[forward.Chunk], str | None]:
        """Look at the content's first bytes, and choose what decodes it."""
        name = codec.name if codec else None
        part = self._request.part
        size = part.size if part else self._source.size if codec is None else None
        if codec is None and part is None:
            head, chunks = forward.peek(chunks, inspect.HEAD)
        else:
            head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
            name, size = inner, size if inner == name else None
        if self._request.looks_inside and _is_appliance(head):
            from cdi.images.formats import ova

            found = ova.Appliance((chunk.data for chunk in chunks), self._request.disk)
            taken = map(forward.Chunk, found.data())
            chunks = stack.enter_context(closing(pipeline.ahead(taken, forward.AHEAD, "take out")))
            head, chunks, inner = fetch.unwrapped(name, chunks, inspect.HEAD, stack)
            name, size = inner, found.size if inner == name else None
        image = self._inspect(head, size, at_random=False)
        return image.virtual_size, forward.Disk(image.format), chunks, name

    def _in_order(self, start: int) -> Iterator[bytes]:
        request_bytes, most = self._bytes_at_once(), self._request.connections
        return fetch.in_order(self._source, start, self._whole, request_bytes, most, self._meter)

    # What both ways share.

    def _inspect(self, head: bytes, size: int | None, *, at_random: bool) -> Image:
        """Refuse what is no disk, or a dangerous one, before anything is written."""
        if self._request.as_is:
            return Image("raw", size, native=True)
        image = inspect.inspect(head, size, self._read if at_random else None)
        if not image.native and not (at_random and image.flat):
            insist_fits(self._request, image.virtual_size)
            raise errors.NeedsScratch(f"a {image.format} image is converted from a copy")
        return image

    def _earlier(self) -> Progress | None:
        return work.earlier(self._request, self._source.identity)

    def _open(self, virtual_size: int | None, progress: Progress | None) -> work.Work:
        self._work = work.Work(self._request, self._source.identity, virtual_size, progress)
        return self._work

    def _start_digest(self, progress: Progress) -> tuple[digests.Digest, int]:
        """Return a digest and how many bytes are in it already."""
        algorithm = self._request.algorithm or "sha256"
        if progress.digest is not None:
            return digests.new(algorithm, progress.digest), progress.digested
        return digests.new(algorithm), 0

    def _note_digest(self, offset: int, state: bytes | None) -> None:
        if self._work is not None:
            self._work.journal.digested(offset, state)

    def _verify(self, got: str) -> None:
        algorithm = self._request.algorithm or "sha256"
        if self._request.checksum is not None and self._request.checksum[1] != got:
            raise errors.ChecksumMismatch(algorithm, self._request.checksum[1], got)
        self._digest = (algorithm, got)

    def _finish(
        self, job: work.Work, image_format: str, compression: str | None, virtual_size: int
    ) -> Result:
        if image_format == "raw" and not self._request.as_is:
            # Some disks tell only by their last sector that they are not raw.
            length = min(SECTOR, virtual_size)
            trailer = job.target.read_back(virtual_size - length, length)
            image = inspect.inspect_trailer(trailer, virtual_size)
            if image.format != "raw" and image.virtual_size is not None:
                image_format, virtual_size = image.format, image.virtual_size
        result = finish(self._request, job, self._meter, image_format, virtual_size)
        return dataclasses.replace(result, compression=compression, digest=self._digest)


def insist_fits(request: TransferRequest, virtual_size: int | None) -> None:
    """Raise TooSmall if a disk of at least `virtual_size` bytes does not fit."""
    insist_within(limit_of(request), virtual_size)


def limit_of(request: TransferRequest) -> int | None:
    """Return how large a disk may be, None for any size."""
    limit = request.size if request.limit is None else request.limit
    if targets.is_device(request.target):
        device = targets.device_size(request.target)
        limit = device if limit is None else min(limit, device)
    return limit


def insist_within(limit: int | None, virtual_size: int | None) -> None:
    """Raise TooSmall if a disk of at least `virtual_size` bytes is larger than `limit`."""
    if limit is not None and virtual_size is not None and virtual_size > limit:
        raise errors.TooSmall(virtual_size, limit)


def finish(
    request: TransferRequest, job: work.Work, meter: Meter, image_format: str, virtual_size: int
) -> Result:
    """Commit the complete disk, and say what was done."""
    meter.stage = "syncing"
    size = max(_whole_sectors(virtual_size), request.size or 0)
    began = time.perf_counter()
    job.finish(size)
    meter.spent("sync", time.perf_counter() - began)
    meter.spent("write", job.target.seconds)
    return Result(
        format=image_format,
        compression=None,
        virtual_size=virtual_size,
        size=size,
        fetched=meter.fetched,
        written=job.target.written,
        resumed=job.resumed,
        seconds=dict(meter.seconds),
    )


def _whole_sectors(size: int) -> int:
    return -(-size // SECTOR) * SECTOR  # a guest reads whole sectors


class _Stream:
    """An open stream whose first piece has been looked at."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first, self._rest = first, rest

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._rest


def _is_appliance(head: bytes) -> bool:
    if not signatures.may_be_tar(head):
        return False
    from cdi.images.formats import ova

    return ova.matches(head)


def _first_content(codec: Codec, head: bytes) -> bytes:
    content = b""
    for data in codec.decoder().feed(head):
        content += data
        if len(content) >= HEAD:
            break
    return content
