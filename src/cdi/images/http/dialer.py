"""
Connections that are more than TCP: TLS, proxies, and TLS through these.

Which certificates are trusted is read when the first one has to be checked: that takes longer than
a small file. Raises what `connection.connected` does, ProxyFailed, BadAnswer, ssl.SSLError,
InvalidRequest.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from cdi.images.http import failures, request, response, urls
from cdi.images.http.connection import Connection, Watch, connected
from cdi.images.http.options import HttpOptions
from cdi.images.http.proxies import Proxy

if TYPE_CHECKING:
    import ssl


class Dialer:
    """Makes connections for one source. Any thread may call."""

    def __init__(self, watch: Watch, options: HttpOptions) -> None:
        self._watch, self._options = watch, options
        self._timeout = options.connect_timeout  # TCP and TLS together; names have their own
        self._lock = threading.Lock()
        self._trust: ssl.SSLContext | None = None

    def dial(self, place: urls.Url, proxy: Proxy | None) -> Connection:
        """Connect to `place`, or to a proxy that will pass on what is asked for there."""
        began = time.monotonic()
        if proxy is None:
            sock: Any = connected(place.host, place.port, self._timeout)
        else:
            sock = self._to_proxy(proxy, began)
        try:
            if proxy is not None and place.scheme == "https":
                talk = Connection(sock, self._watch)
                tunnel(talk, place, proxy, self._options.user_agent)
                self._hurry(sock, began)
            if place.scheme == "https":
                sock = self._secured(sock, place.host, within_tls=_is_tls(sock))
            return Connection(sock, self._watch)
        except BaseException:
            sock.close()
            raise

    def _to_proxy(self, proxy: Proxy, began: float) -> Any:
        there = urls.parse_url(proxy.url)
        try:
            sock = connected(there.host, there.port, self._timeout)
        except OSError as failure:
            raise failures.ProxyFailed from failure
        if there.scheme == "http":
            return sock
        try:
            self._hurry(sock, began)
            return self._secured(sock, there.host)
        except OSError as failure:
            sock.close()
            raise failures.ProxyFailed from failure

    def _hurry(self, sock: Any, began: float) -> None:
        sock.settimeout(max(0.001, began + self._timeout - time.monotonic()))

    def _secured(self, sock: Any, host: str, *, within_tls: bool = False) -> Any:
        name = host.strip("[]").rstrip(".")
        if not within_tls:
            # The end of a connection is the end of a body only if the server says so.
            return self.trust().wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)
        # TLS in TLS is rare enough to be somebody else's.
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(sock, self.trust(), server_hostname=name, suppress_ragged_eofs=False)

    def trust(self) -> ssl.SSLContext:
        """Return which certificates are trusted. Raises InvalidRequest for one of no use."""
        from cdi.images.http import tls

        with self._lock:
            if self._trust is None:
                self._trust = tls.context_for(self._options)
            return self._trust


def tunnel(talk: Connection, place: urls.Url, proxy: Proxy, user_agent: str) -> None:
    """Have the proxy at the other end pass bytes on to `place`. Raises ProxyFailed, BadAnswer."""
    where = f"{place.host}:{place.port}"
    fields = request.HeaderMap([("User-Agent", user_agent), *proxy.fields])
    try:
        talk.send(request.request_bytes("CONNECT", where, where, fields, None))
        head = response.read_head(talk)
    except OSError as failure:
        raise failures.ProxyFailed from failure
    if not 200 <= head.status < 300:
        raise failures.ProxyFailed(head.status)
    if talk.has_more():
        raise failures.BadAnswer("the proxy sends more than its answer")


def _is_tls(sock: Any) -> bool:
    return type(sock) is not socket.socket
