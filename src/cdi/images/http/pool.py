"""
Requests and answers over connections that are kept and used again. Any thread may call.

Elsewhere: making them (`connection`, `dialer`), what is spoken over them (`request`, `response`),
and what is asked for (`client`). Raises Unreachable and its kin, ProxyFailed, ssl.SSLError;
`failures` says what they mean.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from cdi.images import errors
from cdi.images.http import urls
from cdi.images.http.connection import Connection
from cdi.images.http.request import HeaderMap, request_bytes
from cdi.images.http.response import Head, Response, framing, read_head

if TYPE_CHECKING:
    from cdi.images.http.proxies import Proxy

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


# Makes a connection to a place, or to a proxy that passes on what is asked for there.
Dial = Callable[[urls.Url, "Proxy | None"], Connection]


class Pool:
    """Connections of one source, those to proxies too."""

    def __init__(self, dial: Dial, proxies: Mapping[str, str], most: int) -> None:
        """At most `most` unused connections to one place are kept."""
        self._dial, self._proxies, self._most = dial, proxies, most
        self._lock = threading.Lock()
        self._idle: dict[object, list[Connection]] = {}
        self._closed = False

    def request(
        self, method: str, place: urls.Url, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """Send one request and read the head of its answer. Raises OSError, InvalidRequest."""
        proxy = self._proxy_for(place)
        key = (proxy, place.origin)
        target = place.target
        if proxy is not None and place.scheme == "http":
            target = place.url
            headers = HeaderMap([*headers.items(), *proxy.fields])
        try:
            message = request_bytes(method, target, place.authority, headers, body)
        except ValueError as wrong:
            raise errors.InvalidRequest(f"{place.printable}: {wrong}") from None
        if kept := self._taken(key):
            try:
                return self._asked(kept, key, place, method, message)
            except ConnectionError:
                # The server had ended it a moment ago, before it saw this (RFC 9112, 9.3.1).
                if method not in _REPEATABLE:
                    raise
        return self._asked(self._dial(place, proxy), key, place, method, message)

    def _proxy_for(self, place: urls.Url) -> Proxy | None:
        if not self._proxies:
            return None
        from cdi.images.http import proxies

        return proxies.choose_proxy(self._proxies, place)

    def _asked(
        self, talk: Connection, key: object, place: urls.Url, method: str, message: bytes
    ) -> Response:
        try:
            talk.send(message)
            head = read_head(talk)
            ended = functools.partial(self._free, key, talk)
            return response_of(talk, head, ended, place.printable, empty=method == "HEAD")
        except BaseException:
            talk.close()
            raise

    def close(self) -> None:
        """Close what nobody uses; what is in use is closed when it is given back."""
        with self._lock:
            self._closed = True
            kept = [one for idle in self._idle.values() for one in idle]
            self._idle.clear()
        for one in kept:
            one.close()

    def _taken(self, key: object) -> Connection | None:
        while True:
            with self._lock:
                kept = self._idle.get(key)
                if not kept:
                    return None
                found = kept.pop()
            if found.quiet():
                return found
            found.close()  # the server has ended it meanwhile

    def _free(self, key: object, talk: Connection, reusable: bool) -> None:
        if reusable:
            with self._lock:
                kept = self._idle.setdefault(key, [])
                if not self._closed and len(kept) < self._most:
                    kept.append(talk)
                    return
        talk.close()


def response_of(
    talk: Connection, head: Head, ended: Callable[[bool], None], shown: str, *, empty: bool
) -> Response:
    """Return an answer with the body that its head frames; with none where it is `empty`."""
    chunked, length = framing(head)
    if chunked and not empty:
        from cdi.images.http import codings

        return codings.ChunkedResponse(talk, head, ended, shown)
    return Response(talk, head, 0 if empty else length, ended, shown)
