"""
An object behind an http(s) URL, read whole or in ranges, whatever its server does.

Here: the first request, reading on at the exact next byte after a break, and noticing that the
object is another one by then. Elsewhere: connections and redirects (`client`), when to give up
(`retry`), servers without ranges (`whole`).

One small GET with a Range tells all that HEAD would, of servers that forbid HEAD too, and its
body is not wasted: the head of a ranged source, or the whole stream of another one.

Sizes and offsets are in bytes, durations in seconds.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable, Iterator

from cdi.images.closing import Closing
from cdi.images.codecs import codec
from cdi.images.http import client, connection, failures, response, urls
from cdi.images.http.client import PLAIN, Fields, Service
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import ContentRange, Response
from cdi.images.http.retry import Budget
from cdi.images.sources import source
from cdi.images.sources.http import codings, findings, refused, whole
from cdi.images.sources.http.findings import HEAD, Findings, changed
from cdi.images.sources.http.patience import Patience
from cdi.images.sources.http.whole import RETRIED
from cdi.images.sources.source import PIECE, Identity


class HttpSource(Closing):
    """One object behind a URL; see `source.Source`. The constructor makes the first request.

    `service` is what its server wants beyond plain HTTP. `cancel` ends every wait with Cancelled.
    `wait` sleeps for some seconds and returns early, with True, once cancelled; `clock` is
    monotonic; `rng` returns numbers in [0, 1).

    Whoever knows what is behind the URL for certain, by a digest that it is named after, gives
    that as `version`: what its servers say of versions then does not matter, since two of them
    may say different things of the same bytes. Without `ranges` none is asked for.
    """

    def __init__(
        self,
        url: str,
        options: HttpOptions | None = None,
        *,
        service: Service = PLAIN,
        version: str = "",
        preferred_request: int = 0,
        ranges: bool = True,
        cancel: threading.Event | None = None,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        options = options or HttpOptions()
        cancel = cancel or threading.Event()
        self._anew = functools.partial(
            HttpSource, url, options, service=service, version=version, wait=wait
        )
        self._ranges = ranges
        self.doubtful = False  # see `source.Streamable`
        self.service = service
        self._version = version
        self._preferred_request = preferred_request
        self._start = urls.Route(urls.parse_url(url, secret_path=options.secret_path))
        self._route = self._start
        self.shown = self._start.location.printable
        wait = cancel.wait if wait is None else wait
        self.patience = Patience(self.shown, options.retries, wait, clock, rng)
        self._client = client.Client(
            self._start.location,
            options,
            connection.Watch(cancel, options.stall, clock),
            service,
        )
        try:
            self.found = self._open()
        except BaseException:
            self._client.close()
            raise

    @property
    def identity(self) -> Identity:
        version = self._version or self.found.validators.strong
        return Identity(self.shown, self.found.size, version)

    @property
    def size(self) -> int | None:
        return self.found.size

    @property
    def redirected(self) -> bool:
        """Whether another address than the one asked for has answered: a mirror, perhaps."""
        return self._route.location != self._start.location

    @property
    def ranged(self) -> bool:
        return self.found.ranged

    @property
    def preferred_request(self) -> int:
        """See `source.PrefersLargeRequests`."""
        restraint = self.patience.restraint
        return max(self._preferred_request, restraint.request if restraint else 0)

    @property
    def reconnects(self) -> int:
        """How many requests were made again because one before had failed."""
        return self.patience.repeated

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        size = self.found.size
        if self.found.ranged and size is not None:
            end = size if end is None else end
            if not 0 <= start <= end <= size:
                raise source.no_such_range(self.shown, size, start, end)
            return self._range(start, end)
        if start != 0 or end is not None:
            raise ValueError("a source without ranges can only be read as a whole")
        body, self.found.body = self.found.body, None
        if body is None:
            raise ValueError("a source without ranges can only be read once")
        return whole.pieces(self, body)

    def in_one_stream(self, cancel: threading.Event) -> HttpSource:
        """Open the object once more, to be read by one GET; see `source.Streamable`."""
        return self._anew(ranges=False, cancel=cancel)

    def close(self) -> None:
        if self.found.body is not None:
            self.found.body.close()
        self._client.close()

    def _open(self) -> Findings:
        budget: Budget | None = None
        while True:
            try:
                if self._ranges:
                    found = _probe(self.shown, self.ask, self.service)
                else:
                    found = whole.opened(self.shown, self.ask(()), self.service)
            except RETRIED as failure:
                budget = budget or self.patience.budget(opening=True)
                self.patience.pause(budget, failure)
            else:
                if found.kind.startswith("text/"):
                    findings.warn_of_text(self.shown, found.kind)
                # Unequal servers behind one name would contradict each other for ever.
                if self._version or not self._ranges:
                    found.validators = response.Validators()
                return found

    def ask(self, fields: Fields) -> Response:
        """Send one GET where the last good one went, or anew along the redirects."""
        route = self._route
        answer, arrived = self._client.follow(route, fields)
        if answer.status in response.EXPIRED and arrived.location != self._start.location:
            answer.close()
            again = functools.partial(self._client.follow, self._start, fields)
            answer, arrived = refused.asked_anew(again, self._start)
        if answer.status < 400:
            # Where nothing redirected, there is nothing to go back to.
            self._route = self._start if arrived.location == self._start.location else arrived
        return answer

    def _range(self, position: int, end: int) -> Iterator[bytes]:
        if position < min(end, len(self.found.head)):
            yield self.found.head[position:end]
            position = min(end, len(self.found.head))
        budget: Budget | None = None
        while position < end:
            before = position
            try:
                with self._ask_range(position, end) as answer:
                    while position < end:
                        piece = answer.read(min(end - position, PIECE))
                        if not piece:
                            raise answer.ended_early()
                        position += len(piece)
                        yield piece
                self.doubtful = False
            except RETRIED as failure:
                self.doubtful = self.doubtful or isinstance(failure, failures.EndedEarly)
                budget = budget or self.patience.budget()
                if position > before:
                    budget.progressed(position - before)
                self.patience.pause(budget, failure)

    def _ask_range(self, start: int, end: int) -> Response:
        if restraint := self.patience.restraint:
            end = max(end, min(start + restraint.request, self.found.size or end))
            self.patience.take_turn(restraint)
        fields: Fields = (("Range", f"bytes={start}-{end - 1}"),)
        if unchanged := self.found.validators.strong:
            fields += self.service.unchanged(unchanged)
        answer = self.ask(fields)
        try:
            self._check_range(answer, start)
        except BaseException:
            refused.note(self, answer, restraint)
            answer.close()
            raise
        return answer

    def _check_range(self, answer: Response, start: int) -> None:
        if answer.status != 206:
            raise refused.error_for(self, answer)
        part = self.check_same(answer)
        if "Content-Encoding" in answer.headers:
            codings.check(self.shown, answer, self.service, known=self.found.coding)
        if part is None or part.start != start:
            raise refused.other_range(self.shown)

    def check_same(self, answer: Response) -> ContentRange | None:
        """Return what range is answered. Raises SourceChanged for one of another object."""
        if self.found.validators.contradict(response.validators_of(answer.headers)):
            raise changed(self.shown, "its ETag or date is another one")
        part = response.parse_content_range(answer.headers.get("Content-Range"))
        if answer.status == 206:
            size = part.total if part else None
        else:
            size = response.parse_length(answer.headers.get("Content-Length"))
        if None not in {size, self.found.size} and size != self.found.size:
            raise changed(self.shown, "its length is another one")
        return part


def _probe(shown: str, ask: Callable[[Fields], Response], service: Service) -> Findings:
    """Ask for the head of the source. The caller closes `body`. Raises SourceError."""
    answer = ask((("Range", f"bytes=0-{HEAD - 1}"),))
    try:
        found = _ranged(shown, answer, service)
        if found is None and (small := whole.smaller(answer)):
            # imageio daemons insist on ranges that lie within the disk.
            answer.close()
            answer = ask((("Range", f"bytes=0-{small - 1}"),))
            found = _ranged(shown, answer, service)
    except BaseException:
        answer.close()
        raise
    if found is None:
        return whole.opened_instead(shown, answer, ask, service)
    answer.close()
    return found


def _ranged(shown: str, answer: Response, service: Service) -> Findings | None:
    part = response.parse_content_range(answer.headers.get("Content-Range"))
    if part is None or part.total is None or part.start != 0:
        return None
    if answer.status == 416 and part.total == 0:
        return Findings(0, response.validators_of(answer.headers), ranged=True)
    if answer.status != 206:
        return None
    packed = "Content-Encoding" in answer.headers
    coding = codings.check(shown, answer, service, seen=answer.look(codec.HEAD)) if packed else ""
    length = response.parse_length(answer.headers.get("Content-Length"))
    if coding and length != part.end - part.start:
        return None  # packed on its way: offsets count something else than what comes
    head = answer.look(min(part.end, HEAD))
    if len(head) < min(part.end, HEAD):
        raise answer.ended_early()
    validators = response.validators_of(answer.headers)
    kind = answer.headers.get("Content-Type", "")
    return Findings(part.total, validators, kind, ranged=True, head=head, coding=coding)
