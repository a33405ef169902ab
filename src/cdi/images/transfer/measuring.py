"""
How large the disk behind a source is, before there is a place for it.

What is read is what says so: the header of an image, the index of a compressed one, the entry of
an archive. Nothing is written, and at most a few pieces are fetched, whatever the size. A stream
that ends somewhere, without having said where, is a SizeUnknown at once: it would have to be read
to its end. Sizes in bytes; raises TransferError.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from cdi.images import errors
from cdi.images.codecs import measured as compressed
from cdi.images.codecs.codec import Codec, codec_for
from cdi.images.formats.image import Image
from cdi.images.formats.inspect import is_archive
from cdi.images.layout import Part
from cdi.images.sources.source import Mapped, read
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import fetch, forward, one_pass
from cdi.images.transfer.attempt import HEAD, SECTOR, Attempt
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import StreamPoint
from cdi.images.transfer.request import TransferRequest


def measure(spec: SourceSpec, halt: threading.Event) -> int:
    """Return the virtual size of the disk behind `spec`, in whole sectors."""
    request = TransferRequest(
        source=spec.open, target=Path(os.devnull), part=spec.part, disk=spec.disk, as_is=spec.as_is
    )
    with closing(spec.open(halt)) as source:
        found = _Measuring(Attempt(request, source, Meter(), halt)).size()
    return -(-found // SECTOR) * SECTOR


class _Measuring:
    """A look at the beginning of a source, and at its end where that says more."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt, self._source = attempt, attempt.source

    def size(self) -> int:
        source = self._source
        if isinstance(source, Mapped) or self._attempt.request.as_is:
            return _known(source.size)
        if not source.ranged:
            return self._in_stream()
        if not source.size:
            raise errors.NotADisk("the source is empty (0 bytes); check the URL")
        head = read(source, 0, min(HEAD, source.size))
        codec = codec_for(head)
        if codec is None and self._attempt.request.looks_inside and is_archive(head):
            return self._in_archive()
        if codec is None:
            return self._plain(self._attempt.request.part, head)
        return self._ahead(codec, self._in_steps())

    def _in_archive(self) -> int:
        from cdi.images.formats import bundle

        part = bundle.locate(
            self._attempt.read, self._attempt.whole, self._attempt.request.disk
        ).part
        attempt = self._attempt
        attempt.request = dataclasses.replace(attempt.request, part=part)
        return self._plain(part, b"")

    def _plain(self, part: Part | None, head: bytes) -> int:
        """Of a disk, or of a file in an archive, that is not compressed itself."""
        if part is not None:
            if part.extents is not None:  # sparse, and not stored as it is
                return self._ahead(None, self._in_steps())
            head = self._attempt.read(0, min(HEAD, part.stored))
        if codec_for(head) is not None:
            return self._ahead(None, self._in_steps())
        return _known(self._attempt.inspect(head, self._attempt.size, at_random=True).virtual_size)

    def _in_stream(self) -> int:
        pieces = self._source.stream()
        first = fetch.beginning(pieces)
        if not first:
            raise errors.NotADisk("the source is empty (0 bytes); check the URL")
        return self._ahead(codec_for(first), _after(first, pieces))

    def _ahead(self, codec: Codec | None, pieces: Iterator[bytes]) -> int:
        """Of what can only be read forward: its first bytes have to say it."""
        with ExitStack() as stack:
            stack.callback(self._attempt.halt.set)  # before threads are waited for
            content: Iterator[forward.Chunk]
            content = forward.content(codec, pieces, 0, StreamPoint(0, 0), self._attempt.meter)
            if self._attempt.request.part is not None:
                content = forward.cut_out(self._attempt.request.part, content, 0, drain=False)
            image, _, _ = one_pass.look(self._attempt, codec, content, stack)
            return self._size_of(image, codec)

    def _size_of(self, image: Image, codec: Codec | None) -> int:
        if image.virtual_size is not None:
            return image.virtual_size
        alone = self._attempt.request.part is None and self._source.ranged
        if codec is not None and alone and image.format == "raw":
            return _known(
                compressed.output_size(codec.name, self._attempt.read, self._attempt.whole)
            )
        return _known(None)

    def _in_steps(self) -> Iterator[bytes]:
        """What a ranged source has, fetched no further than it is asked for."""
        for start in range(0, self._attempt.whole, HEAD):
            yield read(self._source, start, min(HEAD, self._attempt.whole - start))


def _after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _known(size: int | None) -> int:
    if size is None:
        raise errors.SizeUnknown(
            "the source does not say how large its disk is, short of being read to its end; say "
            "so in resources.requests.storage"
        )
    return size
