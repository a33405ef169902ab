"""
One attempt at a transfer: an open source, and the target and the journal that it fills.

Here: what every way of moving a disk needs: how much to ask for at once, what is refused before
anything is written, and the commit. Elsewhere: the ways (`parallel`, `one_pass`, `wrapped`,
`overlay`), which one it is (`transfer`), and whether an earlier attempt can be continued
(`continuing`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from pathlib import Path

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.formats import inspect
from cdi.images.formats.image import Image
from cdi.images.sources.source import Identity, PrefersLargeRequests, Source
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.journalfile import Copy
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result

SECTOR = 512
CHECKPOINT_EVERY = 5.0  # seconds of work that a power cut may cost
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
        if targets.tag_of(self.request.target, complete=self.request.update) is None:
            return None
        from cdi.images.transfer import continuing

        return continuing.earlier(self.request, self.source.identity)

    def open(self, virtual_size: int | None, progress: Progress | None) -> Work:
        """Open target and journal, to go on from `progress` or to begin."""
        return Work(self.request, self.source.identity, virtual_size, progress)

    def finish(
        self, job: Work, image_format: str, compression: str | None, virtual_size: int
    ) -> Result:
        """Commit the complete disk, and say what was done."""
        if image_format == "raw" and not self.request.as_is:
            from cdi.images.formats import unclaimed

            image_format, virtual_size = unclaimed.reread(job.target.read_back, virtual_size)
        made = Result(image_format, compression, virtual_size, digest=self.digest)
        return job.commit(made, self.meter, self.halt)


class Work:
    """One attempt at writing. Leaving the context keeps partial disk and journal, durably."""

    def __init__(
        self,
        request: TransferRequest,
        identity: Identity,
        virtual_size: int | None,
        progress: Progress | None,
    ) -> None:
        """Open target and journal; with `progress` continue, without begin anew."""
        self._request = request
        self.resumed = progress is not None
        self.progress = progress or Progress()
        if progress is None and not targets.is_device(request.target):
            forget(request.target, request.journal_file)
        self.target, copy = self._open(identity, virtual_size)
        try:
            key = request.key(identity, self.target.tag)
            held_from = None if copy is None else self.target.held_from
            self.journal = Journal(request.journal_file, key, self.progress, copy, held_from)
        except OSError as error:
            self.target.close()
            raise targets.target_error(error, str(request.journal_file)) from error
        self._left = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="checkpoint", daemon=True)

    def _open(
        self, identity: Identity, virtual_size: int | None
    ) -> tuple[targets.Target, Copy | None]:
        """Open the target; return what makes a second copy of durable records as well."""
        request = self._request
        if targets.is_device(request.target):
            from cdi.images.transfer import ondevice

            return ondevice.opened(
                request, identity, virtual_size, self.progress, resumed=self.resumed
            )
        size = virtual_size if request.size is None else max(request.size, virtual_size or 0)
        file = targets.FileTarget(
            request.target,
            size,
            preallocate=request.preallocate,
            resume=self.resumed,
            update=request.update,
            direct_io=request.direct_io,
        )
        file.already(self.progress.done)
        return file, None

    def __enter__(self) -> Work:
        self._keeper.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _: object) -> None:
        self._left.set()
        self._keeper.join()
        try:
            if error is not None:
                self.checkpoint()
            if self.target.lossy:
                self.journal.believe_durable()
            if isinstance(error, errors.TransferError) and error.kind is errors.Kind.PERMANENT:
                with contextlib.suppress(errors.TargetError):  # what failed is told, not this
                    self.target.forget_notes()
        finally:
            self.journal.close()
            self.target.close()

    def commit(self, made: Result, meter: Meter, stop: threading.Event) -> Result:
        """The disk is complete and verified: commit it; return what is known of it, and was done.

        Zeroing what nobody wrote may take long: it is noted, and ends with `stop`.
        """
        meter.stage = "syncing"
        size = max(-(-made.virtual_size // SECTOR) * SECTOR, self._request.size or 0)
        began, told = time.perf_counter(), self._request.committing
        for done in self.target.fill(size):
            self.journal.done((done,))
            if stop.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
        self._left.set()
        self._keeper.join()
        made = dataclasses.replace(made, size=size, resumed=self.resumed)
        self.target.finish(size, lambda: told(self._counted(made, meter)) if told else None)
        self.journal.remove()
        meter.spent("sync", time.perf_counter() - began)
        meter.spent("write", self.target.seconds)
        return self._counted(made, meter)

    def _counted(self, made: Result, meter: Meter) -> Result:
        fetched, written = meter.fetched, self.target.written
        seconds = dict(meter.seconds)
        return dataclasses.replace(made, fetched=fetched, written=written, seconds=seconds)

    def _keep(self) -> None:
        while not self._left.wait(CHECKPOINT_EVERY):
            self.checkpoint()

    def checkpoint(self) -> None:
        """Make what is complete survive a power cut; done every CHECKPOINT_EVERY by itself."""
        self.journal.keep(self.target)


def forget(target: Path, journal: Path) -> None:
    """Remove what unfinished attempts left. Raises TargetFailed where one is under way."""
    if not targets.is_device(target):
        targets.remove_partial(target)
    journal.unlink(missing_ok=True)


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
