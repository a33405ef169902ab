"""
An object behind an http(s) URL, read whole or in ranges, whatever its server does.

Here: reading on at the exact next byte after a break, and noticing that the object is another
one by then. Elsewhere: the first request (`probe`), connections and redirects (`client`), when
to give up (`retry`).

A source without ranges whose connection breaks is fetched again from its start, and what had
been delivered is thrown away: the price of a server that cannot do better. Sizes and offsets
are in bytes, durations in seconds.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.http import client, connection, retry, semantics, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Counter, EndedEarly, Response
from cdi.images.http.service import PLAIN, Fields, Service
from cdi.images.sources import span
from cdi.images.sources.http import probe
from cdi.images.sources.source import PIECE, Identity

log = logging.getLogger(__name__)

# What another try may cure. SourceChanged is transient too, but not for this run.
_RETRIED = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)


class HttpSource(Closing):
    """One object behind a URL; see `source.Source`. The constructor makes the first request.

    `service` is what its server wants beyond plain HTTP. `cancel` ends every wait with Cancelled.
    `wait` sleeps for some seconds and returns early, with True, once cancelled; `clock` is
    monotonic; `rng` returns numbers in [0, 1).

    Whoever knows what is behind the URL for certain, by a digest that it is named after, gives
    that as `version`: what its servers say of versions then does not matter, since two of them
    may say different things of the same bytes.
    """

    def __init__(
        self,
        url: str,
        options: HttpOptions | None = None,
        *,
        service: Service = PLAIN,
        version: str = "",
        preferred_request: int = 0,
        cancel: threading.Event | None = None,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        options = options or HttpOptions()
        cancel = cancel or threading.Event()
        self._retries = options.retries
        self._wait = cancel.wait if wait is None else wait
        self._cancel = cancel
        self._service = service
        self._version = version
        self.preferred_request = preferred_request  # see `source.PrefersLargeRequests`
        self._rng = rng
        self._start = urls.Route(urls.parse_url(url, secret_path=options.secret_path))
        self._route = self._start
        self._shown = self._start.location.printable
        self._received = Counter()
        self._repeated = Counter()
        self._client = client.Client(
            self._start.location,
            options,
            connection.Watch(cancel, options.stall, clock),
            self._received,
            service,
        )
        try:
            self._found = self._open()
        except BaseException:
            self._client.close()
            raise

    @property
    def identity(self) -> Identity:
        version = self._version or self._found.validators.strong
        return Identity(self._shown, self._found.size, version)

    @property
    def size(self) -> int | None:
        return self._found.size

    @property
    def ranged(self) -> bool:
        return self._found.ranged

    @property
    def fetched(self) -> int:
        """Bytes of bodies received over the wire so far, by all threads."""
        return self._received.total

    @property
    def reconnects(self) -> int:
        """How many requests were made again because one before had failed."""
        return self._repeated.total

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        if self._found.ranged and self._found.size is not None:
            return self._range(*span.checked(self._shown, self._found.size, start, end))
        if start != 0 or end is not None:
            raise ValueError("a source without ranges can only be read as a whole")
        body, self._found.body = self._found.body, None
        if body is None:
            raise ValueError("a source without ranges can only be read once")
        return self._forward(body)

    def close(self) -> None:
        if self._found.body is not None:
            self._found.body.close()
        self._client.close()

    def _open(self) -> probe.Findings:
        budget = retry.Budget(self._retries, self._retries.opening_tries, self._rng)
        while True:
            try:
                found = probe.probe(self._shown, self._ask, self._service)
            except _RETRIED as failure:
                self._pause(budget, failure)
            else:
                if self._version:
                    found.validators = semantics.Validators()
                return found

    def _ask(self, fields: Fields) -> Response:
        """Send one GET where the last good one went, or anew along the redirects."""
        route = self._route
        answer, arrived = self._client.follow(route, fields)
        if answer.status in semantics.EXPIRED and route is not self._start:
            answer.close()
            log.info("The resolved address has expired and is asked for anew")
            answer, arrived = self._client.follow(self._start, fields)
        if answer.status not in semantics.EXPIRED:
            # Where nothing redirected, there is nothing to go back to.
            self._route = self._start if arrived.location == self._start.location else arrived
        return answer

    def _range(self, position: int, end: int) -> Iterator[bytes]:
        if position < min(end, len(self._found.head)):
            yield self._found.head[position:end]
            position = min(end, len(self._found.head))
        budget = retry.Budget(self._retries, self._retries.tries, self._rng)
        while position < end:
            try:
                with self._ask_range(position, end) as answer:
                    while position < end:
                        piece = self._piece(answer, end - position)
                        if not piece:
                            raise answer.ended_early()
                        position += len(piece)
                        budget.progressed(len(piece))
                        yield piece
            except _RETRIED as failure:
                self._pause(budget, failure)

    def _ask_range(self, start: int, end: int) -> Response:
        fields: Fields = (("Range", f"bytes={start}-{end - 1}"),)
        if unchanged := self._found.validators.strong:
            fields += self._service.unchanged(unchanged)
        answer = self._ask(fields)
        try:
            self._check_range(answer, start)
        except BaseException:
            answer.close()
            raise
        return answer

    def _check_range(self, answer: Response, start: int) -> None:
        if answer.status == 416:
            raise self._changed("it no longer has all its bytes")
        if answer.status == 412:
            raise self._changed("its ETag is another one")
        if answer.status not in {200, 206}:
            raise self._service.refusal(self._shown, answer)
        self._check_same(answer)
        if answer.status == 200:
            # Another server behind the same name, most likely; the next one may do better.
            raise errors.SourceUnavailable(f"{self._shown}: the server no longer serves ranges")
        probe.check_coding(self._shown, answer, self._service)
        part = semantics.parse_content_range(answer.headers.get("Content-Range"))
        if part is None or part.start != start:
            raise errors.SourceRefused(
                f"{self._shown}: the server answers another range than the one asked for; "
                "its ranges are broken"
            )

    def _check_same(self, answer: Response) -> None:
        """Raise SourceChanged unless `answer` is about the object this source was opened with."""
        if self._found.validators.contradict(semantics.validators_of(answer.headers)):
            raise self._changed("its ETag or date is another one")
        size = semantics.parse_length(answer.headers.get("Content-Length"))
        if answer.status == 206:
            part = semantics.parse_content_range(answer.headers.get("Content-Range"))
            size = part.total if part else None
        if None not in {size, self._found.size} and size != self._found.size:
            raise self._changed("its length is another one")

    def _changed(self, what: str) -> errors.SourceChanged:
        return errors.SourceChanged(
            f"{self._shown}: the file changed while it was read: {what}; start again"
        )

    def _forward(self, body: Response | None) -> Iterator[bytes]:
        budget = retry.Budget(self._retries, self._retries.tries, self._rng)
        delivered = _Delivered(summed=not self._found.validators.strong)
        while True:
            try:
                with body or self._ask_again(delivered) as answer:
                    while piece := self._piece(answer):
                        delivered.add(piece)
                        budget.progressed(len(piece))
                        yield piece
                self._check_end(answer)
            except _RETRIED as failure:
                body = None
                self._pause(budget, failure)
            else:
                return

    def _ask_again(self, delivered: _Delivered) -> Response:
        """Fetch a source without ranges anew, and read up to where its reader is."""
        answer = self._ask(())
        try:
            self._check_whole(answer)
            self._skip(answer, delivered)
        except BaseException:
            answer.close()
            raise
        return answer

    def _check_whole(self, answer: Response) -> None:
        if answer.status != 200:
            raise self._service.refusal(self._shown, answer)
        probe.check_coding(self._shown, answer, self._service)
        self._check_same(answer)

    def _skip(self, answer: Response, delivered: _Delivered) -> None:
        again = _Delivered(delivered.summed)
        while again.count < delivered.count:
            piece = self._piece(answer, delivered.count - again.count)
            if not piece:
                raise answer.ended_early()
            again.add(piece)
        if again.checksum != delivered.checksum:
            raise self._changed("its first bytes are others")

    def _check_end(self, answer: Response) -> None:
        if answer.surplus:
            raise errors.SourceRefused(
                f"{self._shown}: the server sends more bytes than it announced as "
                "Content-Length; one of the two is wrong, ask its operator"
            )

    def _piece(self, answer: Response, left: int = PIECE) -> bytes:
        if self._cancel.is_set():
            raise errors.Cancelled("the transfer was asked to stop")
        return answer.read(min(left, PIECE))

    def _pause(self, budget: retry.Budget, failure: errors.SourceError) -> None:
        """Wait before the next try; raise the error that ends the work if there is none."""
        delay = budget.pause_after(failure)
        if delay is None:
            if budget.only(EndedEarly):
                raise errors.TruncatedSource(str(failure)) from failure
            raise failure
        log.info(
            "A request has failed and is made again",
            extra={"url": self._shown, "reason": failure.reason, "delay": delay},
        )
        self._repeated.add(1)
        if self._wait(delay):
            raise errors.Cancelled("the transfer was asked to stop")


class _Delivered:
    """What a reader has got so far; summed up only if nothing else tells versions apart."""

    def __init__(self, summed: bool) -> None:
        self.summed = summed
        self.count = 0
        self.checksum = 0

    def add(self, piece: bytes) -> None:
        self.count += len(piece)
        if self.summed:
            self.checksum = zlib.crc32(piece, self.checksum)
