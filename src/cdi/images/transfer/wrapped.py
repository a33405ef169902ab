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
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.codecs import blocks
from cdi.images.codecs.codec import Codec, codec_for, codec_named
from cdi.images.formats import native
from cdi.images.formats.image import Ranged
from cdi.images.layout import Part, RandomLayout, Unit
from cdi.images.sources.source import Continued, Mapped, Unpacked, read
from cdi.images.transfer import fetch, ordered, parallel, work
from cdi.images.transfer.one_pass import OnePass, Stream
from cdi.images.transfer.request import Result
from cdi.images.transfer.way import HEAD, insist_fits, is_archive, needs_copy

_UNIT_MOST = 1 << 20  # what a killed run has written and not noted, per worker
_TABLE_READERS = 4

_EMPTY = "the source is empty (0 bytes); check the URL, or what was uploaded"


class Attempt(OnePass):
    """One attempt with one open source."""

    def run(self) -> Result:
        if self._request.by_copy or self._copy_is_begun():
            raise errors.NeedsScratch("an earlier attempt has found that it takes a copy")
        if isinstance(self._source, Mapped):
            return self._mapped(self._source)
        if self._request.base is not None:
            return self._changes(self._request.base)
        if not self._source.ranged:
            return self._streamed()
        if not self._source.size:
            raise errors.NotADisk(_EMPTY)
        head = read(self._source, 0, min(HEAD, self._source.size))
        codec = codec_for(head)
        if codec is None and self._request.part is not None:
            return self._file_at_random(self._request.part)
        if codec is None and self._request.looks_inside and is_archive(head):
            return self._bundled()
        if codec is None:
            return self._plain(head)
        if self._request.part is not None:
            return self._forward(codec, None)
        if (layout := self._block_layout(codec, head)) is not None:
            return self._at_random("raw", layout, codec.name, layout.at_once)
        return self._forward(codec, None)

    def _copy_is_begun(self) -> bool:
        if self._request.scratch is None:
            return False
        return work.earlier(self._request.as_copy(), self._source.identity) is not None

    # One stream, from its beginning or from where an earlier attempt has come to.

    def _streamed(self) -> Result:
        earlier = self._earlier() if isinstance(self._source, Continued) else None
        if earlier is not None and earlier.stream is not None:
            codec = codec_named(earlier.stream.codec) if earlier.stream.codec else None
            pieces = self._source.stream(self._start_of(earlier))
            return self._forward(codec, Stream(b"", pieces, earlier))
        pieces = self._source.stream()
        first = fetch.beginning(pieces)
        if not first:
            raise errors.NotADisk(_EMPTY)
        codec = None if isinstance(self._source, Unpacked) else codec_for(first)
        return self._forward(codec, Stream(first, pieces))

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

    def _bundled(self) -> Result:
        """Transfer the disk of an archive that is not compressed."""
        from cdi.images.formats import bundle

        found = bundle.locate(self._read, self._whole, self._request.disk)
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
        if not (image.native or image.flat):
            raise needs_copy(image)
        source = Ranged(self._read, self._size, unit, _TABLE_READERS)
        return image.format, image.at_random(source)

    def _block_layout(self, codec: Codec, head: bytes) -> blocks.BlockLayout | None:
        """Return the layout of a raw disk that is compressed in several blocks, else None."""
        if self._request.algorithm is not None:
            return None  # hashing wants the file in order, and blocks are too large to wait for
        layout = blocks.layout_of(codec.name, self._read, self._size)
        if layout is None:
            return None
        content = _first_content(codec, head)
        if codec_for(content) is not None or is_archive(content):
            return None
        image = self._inspect(content, layout.virtual_size, at_random=False)
        return layout if image.format == "raw" else None

    def _run_units(self, units: Iterator[Unit], job: work.Work, at_once: int) -> None:
        self._meter.stage = "transferring"
        hashed = None
        if self._request.algorithm is not None:
            digest, offset = self._start_digest(job.progress)
            hashed = ordered.OrderedDigest(digest, offset, self._whole, job.journal, self._meter)
            units = ordered.tiled(units, offset, self._whole, self._bytes_at_once())
        try:
            parallel.ParallelPass(
                fetch=self._source.stream,
                units=units,
                target=job.target,
                journal=job.journal,
                meter=self._meter,
                request_bytes=self._bytes_at_once,
                connections=min(self._request.connections, at_once),
                halt=self._halt,
                ordered=hashed,
            ).run()
            if hashed is not None:
                self._meter.stage = "verifying"
                self._verify(hashed.hexdigest())
        except ordered.OutOfOrder:
            raise errors.NeedsScratch(
                "the image's clusters are not in file order, so that a digest takes a copy"
            ) from None
        finally:
            if hashed is not None:
                hashed.close()


def _first_content(codec: Codec, head: bytes) -> bytes:
    content = b""
    for data in codec.decoder().feed(head):
        content += data
        if len(content) >= HEAD:
            break
    return content
