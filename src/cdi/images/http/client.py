"""
One source's conversations over HTTP: connections, proxies and redirects.

Here: sending one GET along a route, or any one request, and handing out the answer unread.
Elsewhere: what a broken conversation is called (`failures`), who may see which header
(`headers`), what an answer means (`semantics`), and whether to try again (`retry`, `http`). Any
thread may call. Raises SourceError, InvalidRequest, Cancelled.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.http import connection, dial, headers, pool, semantics, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.service import PLAIN, Fields, Service

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

MAX_REDIRECTS = 10
MAX_TEXT = 16 * 1024  # of a refusal's body; those of object stores have a few hundred bytes

_HERE = __name__.rpartition(".")[0]


class EndedEarly(errors.ConnectionLost):
    """The other side ended a body in good order, before the length that it had announced."""


class Counter:
    """A count of bytes that several threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._total += count

    @property
    def total(self) -> int:
        return self._total


class Response(Closing):
    """One answer whose body has not been read. Closing it midway closes its connection."""

    def __init__(self, shown: str, response: pool.Response, received: Counter) -> None:
        self._shown = shown
        self._response = response
        self._counter = received
        self._text: str | None = None

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def phrase(self) -> str:
        return self._response.phrase

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def surplus(self) -> bool:
        """Whether the server had sent more than it announced; known once the body has ended."""
        return self._response.body.surplus

    def read(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none at the end. Less than `limit` is not yet the end."""
        body = self._response.body
        # What has arrived, without waiting for more: bytes that are held back here are lost
        # to a process that is killed, and fetched again.
        if piece := body.read(limit):
            self._counter.add(len(piece))
            return piece
        if body.fault:
            raise _failure(self._shown, body.fault) from body.fault
        if not body.complete:
            raise self.ended_early()
        return b""

    def text(self) -> str:
        """Return the beginning of the body as text, at most MAX_TEXT bytes, as far as it came."""
        if self._text is None:
            self._text = b"".join(self._beginning()).decode("utf-8", "replace")
        return self._text

    def _beginning(self) -> Iterator[bytes]:
        left = MAX_TEXT
        with contextlib.suppress(errors.SourceError):
            while left and (piece := self.read(left)):
                left -= len(piece)
                yield piece

    def ended_early(self) -> EndedEarly:
        """The error of a body that is shorter than it should be."""
        return EndedEarly(
            f"{self._shown}: the server ended its answer before the length it had announced; "
            "the file there or a gateway in between may be damaged"
        )

    def close(self) -> None:
        self._response.body.close()


class Client:
    """Requests for one source. Connections are kept and reused by all threads."""

    def __init__(
        self,
        origin: urls.Url,
        options: HttpOptions,
        watch: connection.Watch,
        received: Counter,
        service: Service = PLAIN,
    ) -> None:
        self._options = options
        self._headers = headers.RequestHeaders(origin, options)
        # Reading the system's authorities takes longer than a small file: only if need be.
        self._trust = _trust(options) if options.ca_files or options.ca_dirs else None
        dialer = dial.Dialer(watch, options.connect_timeout, self._context, options.user_agent)
        self._pool = pool.Pool(dialer, options.proxies, options.connections)
        self._counter = received
        self._service = service
        self._lock = threading.Lock()

    def follow(
        self, route: urls.Route, fields: Iterable[tuple[str, str]]
    ) -> tuple[Response, urls.Route]:
        """Send a GET along `route`; return the first answer that is no redirect, and its route."""
        fields = tuple(fields)
        start = route
        for _ in range(MAX_REDIRECTS + 1):
            answer = self.call(route, fields)
            again = self._retry_route(route, answer)
            if again is None and answer.status not in semantics.REDIRECTS:
                return answer, route
            answer.close()
            route = again or urls.redirected(route, answer.headers.get("Location"))
            log.info(
                "The source redirects",
                extra={"location": route.location.printable, "trusted": route.trusted},
            )
        raise errors.SourceRefused(
            f"{start.location.printable} redirects more than {MAX_REDIRECTS} times; "
            "check the address"
        )

    def _retry_route(self, route: urls.Route, answer: Response) -> urls.Route | None:
        if answer.status < 300 or not route.trusted:
            return None
        try:
            return self._service.retry_route(route, answer)
        except BaseException:
            answer.close()
            raise

    def close(self) -> None:
        self._pool.close()

    def call(
        self,
        route: urls.Route,
        fields: Fields,
        body: bytes | None = None,
        *,
        method: str = "",
    ) -> Response:
        """Send one request, with POST if there is a body, and return its answer as it is."""
        place = route.location
        given = self._service.headers(route, fields) if route.trusted else {}
        try:
            response = self._pool.request(
                method or ("GET" if body is None else "POST"),
                place,
                self._headers.for_route(route, fields, given),
                body,
            )
        except (OSError, errors.Stalled) as failure:
            raise _failure(place.printable, failure) from failure
        return Response(place.printable, response, self._counter)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._trust is None:
                self._trust = _trust(self._options)
            return self._trust


def _trust(options: HttpOptions) -> ssl.SSLContext:
    # Loading what TLS needs takes longer than a small file without it.
    context: ssl.SSLContext = importlib.import_module(f"{_HERE}.trust").context_for(options)
    return context


def _failure(shown: str, failure: Exception) -> errors.TransferError:
    error: errors.TransferError = importlib.import_module(f"{_HERE}.failures").error_for(
        shown, failure
    )
    return error
