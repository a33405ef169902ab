"""
The bytes of a leased image: an ordinary source of ranges.

Retries and reconnecting are those of `http`. Here: a ticket that is refused on the way is renewed,
no more readers than the daemon allows, and an identity that outlives tickets: the journal of a
run that was killed is good for the next one, whose transfer has another URL, if the image is a
snapshot. Any other disk is the same only as long as its transfer lives, and else is begun anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cdi.images import errors
from cdi.images.layout import Extent
from cdi.images.sources import source
from cdi.images.sources.http import HttpSource
from cdi.images.sources.imageio.daemon import Extents
from cdi.images.sources.imageio.lease import Lease
from cdi.images.sources.source import Identity, Source

log = logging.getLogger(__name__)

# How a daemon refuses a ticket that has expired or was taken away.
_REFUSED = (errors.AccessDenied, errors.NotFound)
_TICK = 0.25  # seconds between two looks at whether to stop


def open_source(lease: Lease, cancel: threading.Event) -> Source:
    """Open what `lease` is for. Raises SourceError."""
    source = ImageioSource(lease, cancel)
    try:
        if lease.image.delta or not lease.raw or not source.ranged:
            return source
        return RawDisk(source, _listed(lease, source))
    except BaseException:
        source.close()
        raise


def _listed(lease: Lease, source: ImageioSource) -> Extents | None:
    listed = lease.extents(source.pause)
    if listed is not None and listed.size > (source.size or 0):
        raise errors.SourceRefused(
            f"{lease.image.location}: the list of extents is for {listed.size} bytes, "
            f"{source.size} are served; check the imageio daemon's log"
        )
    return listed


class ImageioSource:
    """The image of a lease as the daemon sends it; see `source.Source`."""

    def __init__(self, lease: Lease, cancel: threading.Event) -> None:
        self._lease, self._cancel = lease, cancel
        lease.restart(self.pause)
        self._url = lease.url
        self._http = self._opened(lease.url)
        self._renewing = threading.Lock()
        self._readers = threading.Semaphore(lease.abilities.readers)
        self._version = lease.version
        if not lease.image.version:
            log.info("The disk is no snapshot: a start after the end of its transfer begins anew")

    @property
    def identity(self) -> Identity:
        return Identity(self._lease.image.location, self.size, self._version)

    @property
    def size(self) -> int | None:
        return self._http.size

    @property
    def ranged(self) -> bool:
        return self._http.ranged

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        if not self.ranged or self.size is None:
            return self._forward(start, end)
        return self._range(*source.checked_range(self._lease.image.location, self.size, start, end))

    def close(self) -> None:
        self._http.close()

    def pause(self, seconds: float) -> None:
        """Wait, or raise Cancelled."""
        if self._cancel.wait(seconds):
            raise errors.Cancelled("the transfer was asked to stop")

    def _range(self, position: int, end: int) -> Iterator[bytes]:
        refused = 0
        while position < end:
            http = self._http
            try:
                with self._reading():
                    for piece in http.stream(position, end):
                        position += len(piece)
                        self._lease.moved += len(piece)
                        refused = 0
                        yield piece
            except _REFUSED:
                refused += 1
                if refused > self._lease.patience.renewals:
                    raise
                self._renew(http, refused)

    def _forward(self, start: int, end: int | None) -> Iterator[bytes]:
        for piece in self._http.stream(start, end):
            self._lease.moved += len(piece)
            yield piece

    @contextmanager
    def _reading(self) -> Iterator[None]:
        while not self._readers.acquire(timeout=_TICK):
            if self._cancel.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
        try:
            yield
        finally:
            self._readers.release()

    def _renew(self, refused: HttpSource, times: int) -> None:
        """Have the lease renewed, unless another thread has done so."""
        with self._renewing:
            if self._http is not refused:
                return
            url = self._lease.renew(self._url, self.pause)
            if url == self._url:
                # Extended; if that does not help, the engine needs a moment to see why.
                if times > 1:
                    self.pause(self._lease.patience.look * times)
                return
            again = self._opened(url)
            if (again.size, again.ranged) != (refused.size, refused.ranged):
                again.close()
                raise errors.SourceChanged(
                    f"{self._lease.image.location}: its length is another one; start again"
                )
            self._http, self._url = again, url
            refused.close()

    def _opened(self, url: str) -> HttpSource:
        return HttpSource(url, self._lease.options, cancel=self._cancel)


class RawDisk:
    """A leased raw disk of which is known what matters; see `source.Mapped`."""

    ranged = True

    def __init__(self, source: ImageioSource, listed: Extents | None) -> None:
        """Without a list of extents all of the disk matters."""
        self._source, self._listed = source, listed
        # A ticket may be for more than the disk, whose end the list tells.
        self.size = source.size if listed is None else listed.size
        self.identity = replace(source.identity, length=self.size)

    def extents(self) -> Iterator[Extent]:
        """Yield the parts in order; see `source.Mapped`."""
        if self._listed is not None:
            yield from self._listed
        elif self.size:
            yield Extent(0, self.size)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        return self._source.stream(start, self.size if end is None else end)

    def close(self) -> None:
        self._source.close()
