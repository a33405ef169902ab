"""
One attempt at a transfer, with one open source.

Here: what every way of moving a disk needs: how much to ask for at once, what is refused before
anything is written, and the commit. Elsewhere: the ways (`parallel`, `one_pass`, `wrapped`,
`overlay`), and which one it is (`transfer`).
"""

from __future__ import annotations

import dataclasses
import threading
import time

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.formats import inspect, signatures
from cdi.images.formats.image import Image
from cdi.images.sources.source import PrefersLargeRequests, Source
from cdi.images.transfer import work
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import Result, TransferRequest

SECTOR = 512
# What is looked at before anything is decided: what an opening http source holds ready anyway.
HEAD = 64 << 10
EMPTY = "the source is empty (0 bytes); check the URL, or what was uploaded"

# A request is about a thousandth of the whole, so that a killed run loses little, less what the
# next run looks at again; within bounds that keep the number of requests, and the memory of many
# connections, small.
_REQUEST_LEAST, _REQUEST_MOST = 64 << 10, 4 << 20


class Attempt:
    """One attempt with one open source."""

    def __init__(
        self, request: TransferRequest, source: Source, meter: Meter, halt: threading.Event
    ) -> None:
        self.request, self.source, self.meter, self.halt = request, source, meter, halt
        self.copied = False  # what was made is a temporary copy, not the disk
        self.digest: tuple[str, str] | None = None  # of the source, once it is verified
        # Asked once, as looking for a protocol costs, and requests are many.
        self._choosy = source if isinstance(source, PrefersLargeRequests) else None
        meter.total = source.size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the disk's file, which may lie inside a larger one."""
        start = offset if self.request.part is None else self.request.part.start + offset
        return b"".join(self.source.stream(start, start + length))

    @property
    def size(self) -> int:
        """The length of the disk's file."""
        return self.whole if self.request.part is None else self.request.part.stored

    @property
    def whole(self) -> int:
        """The length of all that the source has."""
        if self.source.size is None:
            raise errors.NeedsScratch("the source does not tell its length")
        return self.source.size

    def bytes_at_once(self) -> int:
        """Return how many bytes to ask for at once."""
        if self.request.algorithm is not None:
            # What was written but not yet hashed is fetched again after a kill.
            most, usual = _REQUEST_MOST // 8, self.size >> 12
        else:
            most, usual = _REQUEST_MOST, (self.size >> 10) - HEAD
        if self._choosy is not None:
            usual = max(usual, self._choosy.preferred_request)
        return max(_REQUEST_LEAST, min(most, usual))

    def inspect(self, head: bytes, size: int | None, *, at_random: bool) -> Image:
        """Refuse what is no disk, or a dangerous one, before anything is written."""
        if self.request.as_is:
            return Image("raw", size, native=True)
        image = inspect.inspect(head, size, self.read if at_random else None)
        if not image.native and not (at_random and image.flat):
            insist_fits(self.request, image.virtual_size)  # others, once their tables are sane
        return image

    def earlier(self) -> Progress | None:
        """Return what an earlier attempt has noted."""
        return work.earlier(self.request, self.source.identity)

    def open(self, virtual_size: int | None, progress: Progress | None) -> work.Work:
        """Open target and journal, to go on from `progress` or to begin."""
        return work.Work(self.request, self.source.identity, virtual_size, progress)

    def finish(
        self, job: work.Work, image_format: str, compression: str | None, virtual_size: int
    ) -> Result:
        """Commit the complete disk, and say what was done."""
        if image_format == "raw" and not self.request.as_is:
            from cdi.images.formats import unclaimed

            # Some disks tell only by their last sector that they are not raw.
            length = min(SECTOR, virtual_size)
            trailer = job.target.read_back(virtual_size - length, length)
            image = unclaimed.inspect_trailer(trailer, virtual_size)
            if image.format != "raw" and image.virtual_size is not None:
                image_format, virtual_size = image.format, image.virtual_size
        made = Result(image_format, compression, virtual_size, digest=self.digest)
        return commit(self.request, job, self.meter, self.halt, made)


def commit(
    request: TransferRequest, job: work.Work, meter: Meter, stop: threading.Event, made: Result
) -> Result:
    """Commit the complete disk; return what is known of it, and how much was done."""
    meter.stage = "syncing"
    size = max(-(-made.virtual_size // SECTOR) * SECTOR, request.size or 0)
    began = time.perf_counter()

    def done() -> Result:
        return dataclasses.replace(
            made,
            size=size,
            fetched=meter.fetched,
            written=job.target.written,
            resumed=job.resumed,
            seconds=dict(meter.seconds),
        )

    told = request.committing
    job.finish(size, stop, lambda: told(done()) if told else None)
    meter.spent("sync", time.perf_counter() - began)
    meter.spent("write", job.target.seconds)
    return done()


def needs_copy(image: Image) -> errors.NeedsScratch:
    why = " whose tables lie behind its data" if image.tables_late else ""
    return errors.NeedsScratch(f"a {image.format} image{why} is converted from a copy")


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


def is_archive(head: bytes) -> bool:
    """Whether bytes begin with a tar, for certain."""
    if not signatures.may_be_tar(head):
        return False
    from cdi.images.formats import tar

    return tar.matches(head)
