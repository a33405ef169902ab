"""
One source's conversations over HTTP: connections, proxies and redirects.

Here: sending one GET along a route, or any one request, and handing out the answer unread.
Elsewhere: what a broken conversation is called (`failures`), who may see which header
(`request`), what an answer means (`response`), and whether to try again (`retry`, `sources`). Any
thread may call. Raises SourceError, InvalidRequest, Cancelled.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cdi.images import errors
from cdi.images.http import connection, failures, pool, request, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response

if TYPE_CHECKING:
    from cdi.images.http.dialer import Dialer
    from cdi.images.http.proxies import Proxy
    from cdi.images.http.redirects import Cookies


Fields = tuple[tuple[str, str], ...]


class Service:
    """One kind of server: a web server, unless a class below this one says otherwise."""

    def headers(self, route: urls.Route, fields: Fields) -> Mapping[str, str]:
        """Headers that let a GET with `fields` pass. They go to trusted routes only."""
        del route, fields
        return {}

    def retry_route(self, route: urls.Route, response: Response) -> urls.Route | None:
        """Where to ask again at once, if a refusal (300 and more) tells how it would succeed."""
        del route, response
        return None

    def unchanged(self, version: str) -> Fields:
        """Headers that ask for a range only if the object still is `version`."""
        return (("If-Range", version),)

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        """The coding that stands between the answer's body and the object, or nothing."""
        from cdi.images.http import codings

        return codings.unwanted(headers.get("Content-Encoding", "").strip().lower(), path)

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        """The error that an answer without the object stands for."""
        wish = failures.retry_after(response.headers)
        return failures.refusal_of(shown, response.status, response.phrase, wish)


PLAIN = Service()


class Client:
    """Requests for one source. Connections are kept and reused by all threads."""

    def __init__(
        self,
        origin: urls.Url,
        options: HttpOptions,
        watch: connection.Watch,
        service: Service = PLAIN,
    ) -> None:
        self._options, self._watch = options, watch
        self._headers = request.RequestHeaders(origin, options)
        self._lock = threading.Lock()
        self._dialer: Dialer | None = None  # once TCP alone does not do
        if options.ca_files or options.ca_dirs:
            self._careful_dialer().trust()  # what was added is worth a look at once
        self._pool = pool.Pool(self._dial, options.proxies, options.connections)
        self._cookies: Cookies | None = None  # few servers set one with a redirect
        self._service = service

    def follow(
        self, route: urls.Route, fields: Iterable[tuple[str, str]]
    ) -> tuple[Response, urls.Route]:
        """Send a GET along `route`; return the first answer that is no redirect, and its route."""
        fields = tuple(fields)
        answer = self.call(route, fields)
        if answer.status < 300:
            return answer, route
        from cdi.images.http import redirects

        self._cookies = self._cookies or redirects.Cookies()
        asked = functools.partial(self.call, fields=fields)
        return redirects.followed(answer, route, asked, self._service.retry_route, self._cookies)

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
        headers = self._headers.for_route(route, fields, given)
        if self._cookies and (cookies := self._cookies.header(place)):
            own = headers.get("Cookie")
            headers["Cookie"] = f"{own}; {cookies}" if own else cookies
        try:
            method = method or ("GET" if body is None else "POST")
            return self._pool.request(method, place, headers, body)
        except (OSError, errors.Stalled) as failure:
            raise failures.error_for(place.printable, failure) from failure

    def _dial(self, place: urls.Url, proxy: Proxy | None) -> connection.Connection:
        if proxy is not None or place.scheme != "http":
            return self._careful_dialer().dial(place, proxy)
        sock = connection.connected(place.host, place.port, self._options.connect_timeout)
        return connection.Connection(sock, self._watch)

    def _careful_dialer(self) -> Dialer:
        from cdi.images.http import dialer

        with self._lock:
            self._dialer = self._dialer or dialer.Dialer(self._watch, self._options)
            return self._dialer
