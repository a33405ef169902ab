"""
One source's conversations over HTTP: connections, proxies and redirects.

Here: sending one GET along a route, or any one request, and handing out the answer unread.
Elsewhere: what a broken conversation is called (`failures`), who may see which header
(`headers`), what an answer means (`answers`), and whether to try again (`retry`, `http`). Any
thread may call. Raises SourceError, InvalidRequest, Cancelled.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

import urllib3
import urllib3.exceptions

from cdi.images import errors
from cdi.images.sources import answers, failures, headers, line, locations, proxies, trust
from cdi.images.sources.options import HttpOptions
from cdi.images.sources.service import PLAIN, Fields, Service

log = logging.getLogger(__name__)

MAX_REDIRECTS = 10
MAX_TEXT = 16 * 1024  # of a refusal's body; those of object stores have a few hundred bytes


class EndedEarly(errors.ConnectionLost):
    """The other side ended a body in good order, before the length that it had announced."""


class Tally:
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


class Answer:
    """One answer whose body has not been read. Closing it midway closes its connection."""

    def __init__(self, shown: str, response: urllib3.BaseHTTPResponse, tally: Tally) -> None:
        self._shown = shown
        self._response = response
        self._tally = tally
        self._text: str | None = None
        connection: object = response.connection
        if not isinstance(connection, line.Watched):
            raise TypeError("an answer of a connection that is not ours")
        self._reply = connection.reply

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def phrase(self) -> str:
        return self._response.reason or ""

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def surplus(self) -> bool:
        """Whether the server had sent more than it announced; known once the body has ended."""
        return self._reply.buffered.surplus

    def read(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none at the end. Less than `limit` is not yet the end."""
        failure: Exception | None = None
        try:
            # What has arrived, without waiting for more: bytes that are held back here are lost
            # to a process that is killed, and fetched again.
            piece = self._response.read1(limit, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as broken:
            piece, failure = b"", broken
        if piece:
            self._tally.add(len(piece))
            return piece
        if self._reply.line.fault:
            raise failures.error_for(self._shown, self._reply.line.fault)
        if failure:
            raise self.ended_early() from failure
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
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            self._response.close()
        self._response.release_conn()

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Session:
    """Requests for one source. Connections are kept and reused by all threads."""

    def __init__(
        self,
        origin: locations.Location,
        options: HttpOptions,
        watch: line.Watch,
        tally: Tally,
        service: Service = PLAIN,
    ) -> None:
        _silence_urllib3()
        self._options = options
        self._headers = headers.RequestHeaders(origin, options)
        # Reading the system's authorities takes longer than a small file: only if need be.
        self._trust = trust.context_for(options) if trust.is_extended(options) else None
        self._pools = line.watched_pools(watch)
        self._tally = tally
        self._service = service
        self._lock = threading.Lock()
        self._managers: dict[tuple[proxies.Proxy | None, str], urllib3.PoolManager] = {}

    def follow(
        self, route: locations.Route, fields: Iterable[tuple[str, str]]
    ) -> tuple[Answer, locations.Route]:
        """Send a GET along `route`; return the first answer that is no redirect, and its route."""
        fields = tuple(fields)
        start = route
        for _ in range(MAX_REDIRECTS + 1):
            answer = self.call(route, fields)
            again = self._heeded(route, answer)
            if again is None and answer.status not in answers.REDIRECTS:
                return answer, route
            answer.close()
            route = again or locations.redirected(route, answer.headers.get("Location"))
            log.info(
                "The source redirects",
                extra={"location": route.location.printable, "trusted": route.trusted},
            )
        raise errors.SourceRefused(
            f"{start.location.printable} redirects more than {MAX_REDIRECTS} times; "
            "check the address"
        )

    def _heeded(self, route: locations.Route, answer: Answer) -> locations.Route | None:
        if answer.status < 300 or not route.trusted:
            return None
        try:
            return self._service.heed(route, answer)
        except BaseException:
            answer.close()
            raise

    def close(self) -> None:
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def call(
        self,
        route: locations.Route,
        fields: Fields,
        body: bytes | None = None,
        *,
        method: str = "",
    ) -> Answer:
        """Send one request, with POST if there is a body, and return its answer as it is."""
        place = route.location
        manager = self._manager_for(place)
        given = self._service.headers(route, fields) if route.trusted else {}
        try:
            response = manager.urlopen(
                method or ("GET" if body is None else "POST"),
                place.url,
                body=body,
                headers=self._headers.for_route(route, fields, given),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise failures.error_for(place.printable, failure) from failure
        return Answer(place.printable, response, self._tally)

    def _manager_for(self, place: locations.Location) -> urllib3.PoolManager:
        proxy = proxies.choose_proxy(self._options.proxies, place)
        with self._lock:
            key = (proxy, place.scheme)
            if key not in self._managers:
                self._managers[key] = self._new_manager(proxy, place.scheme)
            return self._managers[key]

    def _new_manager(self, proxy: proxies.Proxy | None, scheme: str) -> urllib3.PoolManager:
        settings: dict[str, Any] = {
            "maxsize": self._options.connections,
            "timeout": urllib3.Timeout(connect=self._options.connect_timeout, read=line.TICK),
        }
        if scheme == "https":
            settings["ssl_context"] = self._context()
        if proxy is not None and proxy.url.startswith("https:"):
            settings["proxy_ssl_context"] = self._context()
        if proxy is None:
            manager = urllib3.PoolManager(**settings)
        else:
            settings["proxy_headers"] = self._proxy_headers(proxy, scheme)
            manager = urllib3.ProxyManager(proxy.url, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def _context(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = trust.context_for(self._options)
        return self._trust

    def _proxy_headers(self, proxy: proxies.Proxy, scheme: str) -> dict[str, str]:
        # A plain request names our agent among its own headers; a CONNECT has none but these.
        fields = {"User-Agent": self._options.user_agent} if scheme == "https" else {}
        if proxy.user:
            fields["Proxy-Authorization"] = headers.basic(proxy.user, proxy.password)
        return fields


def _silence_urllib3() -> None:
    """Its lines hold whole request targets, and these may hold signatures and tokens.

    Its warning about unverified requests would come once for each; ours comes once a source.
    """
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    for name in ("urllib3.connection", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
