"""
What every way of moving a disk needs: the source at hand, the target and journal to be, the end.

Here: how much to ask for at once, what is refused before anything is written, the digest that is
compared, and the commit. Elsewhere: the ways themselves (`attempt`, `one_pass`).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Any

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images import target as targets
from cdi.images.formats import inspect, signatures, unclaimed
from cdi.images.formats.image import Image
from cdi.images.sources.source import PrefersLargeRequests, Source, read
from cdi.images.transfer import work
from cdi.images.transfer.journal import Progress
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest

log = logging.getLogger(__name__)

SECTOR = 512
# What is looked at before anything is decided: what an opening http source holds ready anyway.
HEAD = 64 << 10

# A request is about a thousandth of the whole, so that a killed run loses little, less what the
# next run looks at again; within bounds that keep the number of requests, and the memory of many
# connections, small.
_REQUEST_LEAST, _REQUEST_MOST = 64 << 10, 4 << 20


class Way:
    """One attempt with one open source."""

    def __init__(
        self, request: TransferRequest, source: Source, meter: Meter, halt: threading.Event
    ) -> None:
        self._request, self._source, self._meter, self._halt = request, source, meter, halt
        self._work: work.Work | None = None
        self._digest: tuple[str, str] | None = None
        self.copied = False  # what was made is a temporary copy, not the disk
        # Asked once, as looking for a protocol costs, and requests are many.
        self._choosy = source if isinstance(source, PrefersLargeRequests) else None
        meter.total = source.size

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
        if self._choosy is not None:
            usual = max(usual, self._choosy.preferred_request)
        return max(_REQUEST_LEAST, min(most, usual))

    def _inspect(self, head: bytes, size: int | None, *, at_random: bool) -> Image:
        """Refuse what is no disk, or a dangerous one, before anything is written."""
        if self._request.as_is:
            return Image("raw", size, native=True)
        image = inspect.inspect(head, size, self._read if at_random else None)
        if not image.native and not (at_random and image.flat):
            insist_fits(self._request, image.virtual_size)  # others, once their tables are sane
        return image

    def _copy_instead(self, image: Image) -> None:
        """Go on with a temporary copy: what was read of the source so far goes into it.

        Raises NeedsScratch where there is no room for one.
        """
        if self._request.scratch is None:
            raise needs_copy(image)
        log.info("taking a temporary copy", extra={"format": image.format})
        self._request, self.copied = self._request.as_copy(), True

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
            image = unclaimed.inspect_trailer(trailer, virtual_size)
            if image.format != "raw" and image.virtual_size is not None:
                image_format, virtual_size = image.format, image.virtual_size
        request = answering(self._request, compression=compression, digest=self._digest)
        result = finish(request, job, self._meter, self._halt, image_format, virtual_size)
        return dataclasses.replace(result, compression=compression, digest=self._digest)


def answering(request: TransferRequest, **known: Any) -> TransferRequest:
    """Return the request, whose `committing` is told what is `known` of the result as well."""
    told = request.committing
    if told is None:
        return request
    return dataclasses.replace(
        request, committing=lambda made: told(dataclasses.replace(made, **known))
    )


def needs_copy(image: Image) -> errors.NeedsScratch:
    return errors.NeedsScratch(f"a {image.format} image is converted from a copy")


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
    request: TransferRequest,
    job: work.Work,
    meter: Meter,
    stop: threading.Event,
    image_format: str,
    virtual_size: int,
) -> Result:
    """Commit the complete disk, and say what was done."""
    meter.stage = "syncing"
    size = max(_whole_sectors(virtual_size), request.size or 0)
    began = time.perf_counter()

    def made() -> Result:
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

    told = request.committing
    job.finish(size, stop, lambda: told(made()) if told else None)
    meter.spent("sync", time.perf_counter() - began)
    meter.spent("write", job.target.seconds)
    return made()


def _whole_sectors(size: int) -> int:
    return -(-size // SECTOR) * SECTOR  # a guest reads whole sectors


def is_archive(head: bytes) -> bool:
    """Whether bytes begin with a tar, for certain."""
    if not signatures.may_be_tar(head):
        return False
    from cdi.images.formats import tar

    return tar.matches(head)
