"""
Requests and answers over connections that are kept and used again. Any thread may call.

Here: making them, TCP and TLS. Elsewhere: what is spoken over them (`request`, `response`), and
what is asked for (`client`). Raises Unreachable and its kin, ProxyFailed, ssl.SSLError; `failures`
says what they mean.
"""

from __future__ import annotations

import functools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cdi.images import errors
from cdi.images.http import connection, failures, proxies, urls
from cdi.images.http.request import HeaderMap, request_bytes
from cdi.images.http.response import Body, Head, read_head

if TYPE_CHECKING:
    import ssl

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Pool:
    """Connections of one source, those to proxies too."""

    def __init__(self, dialer: Dialer, proxies: Mapping[str, str], most: int) -> None:
        """At most `most` unused connections to one place are kept."""
        self._dialer, self._proxies, self._most = dialer, proxies, most
        self._lock = threading.Lock()
        self._idle: dict[object, list[connection.Connection]] = {}
        self._closed = False

    def request(
        self,
        method: str,
        place: urls.Url,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> tuple[Head, Body]:
        """Send one request and read the head of its answer. Raises OSError, InvalidRequest."""
        proxy = proxies.choose_proxy(self._proxies, place) if self._proxies else None
        key = (proxy, place.origin)
        target = place.target
        if proxy is not None and place.scheme == "http":
            target = place.url
            headers = HeaderMap([*headers.items(), *proxies.proxy_fields(proxy)])
        try:
            message = request_bytes(method, target, place.authority, headers, body)
        except ValueError as wrong:
            raise errors.InvalidRequest(f"{place.printable}: {wrong}") from None
        if kept := self._taken(key):
            try:
                return self._asked(kept, key, method, message)
            except ConnectionError:
                # The server had ended it a moment ago, before it saw this (RFC 9112, 9.3.1).
                if method not in _REPEATABLE:
                    raise
        return self._asked(self._dialer.dial(place, proxy), key, method, message)

    def _asked(
        self, talk: connection.Connection, key: object, method: str, message: bytes
    ) -> tuple[Head, Body]:
        try:
            talk.send(message)
            head = read_head(talk)
            ended = functools.partial(self._free, key, talk)
            return head, Body(talk, head, none=method == "HEAD", ended=ended)
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

    def _taken(self, key: object) -> connection.Connection | None:
        while True:
            with self._lock:
                kept = self._idle.get(key)
                if not kept:
                    return None
                found = kept.pop()
            if found.quiet():
                return found
            found.close()  # the server has ended it meanwhile

    def _free(self, key: object, talk: connection.Connection, reusable: bool) -> None:
        if reusable:
            with self._lock:
                kept = self._idle.setdefault(key, [])
                if not self._closed and len(kept) < self._most:
                    kept.append(talk)
                    return
        talk.close()


class Dialer:
    """Makes connections. `context` is asked for when the first TLS connection is made."""

    def __init__(
        self,
        watch: connection.Watch,
        timeout: float,
        context: Callable[[], ssl.SSLContext],
        user_agent: str,
    ) -> None:
        """`timeout` is for TCP and TLS together, in seconds; names have their own."""
        self._watch, self._timeout = watch, timeout
        self._context, self._user_agent = context, user_agent

    def dial(self, place: urls.Url, proxy: proxies.Proxy | None) -> connection.Connection:
        """Connect to `place`, or to a proxy that will pass on what is asked for there."""
        began = time.monotonic()
        if proxy is None:
            sock = self._connected(place.host, place.port)
        else:
            sock = self._to_proxy(proxy, began)
        try:
            if proxy is not None and place.scheme == "https":
                talk = connection.Connection(sock, self._watch)
                proxies.tunnel(talk, place, proxy, self._user_agent)
                self._hurry(sock, began)
            if place.scheme == "https":
                sock = self._secured(sock, place.host, within_tls=_is_tls(sock))
            return connection.Connection(sock, self._watch)
        except BaseException:
            sock.close()
            raise

    def _connected(self, host: str, port: int) -> Any:
        sock = connected(host, port, self._timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _to_proxy(self, proxy: proxies.Proxy, began: float) -> Any:
        there = urls.parse_url(proxy.url)
        try:
            sock = self._connected(there.host, there.port)
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
            return self._context().wrap_socket(
                sock, server_hostname=name, suppress_ragged_eofs=False
            )
        # TLS in TLS is rare enough to be somebody else's.
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(sock, self._context(), server_hostname=name, suppress_ragged_eofs=False)


def connected(host: str, port: int, timeout: float) -> socket.socket:
    """Return a TCP connection to the first address of `host` that takes one."""
    try:
        name = host.strip("[]").encode("idna").decode()
    except UnicodeError as failure:
        raise failures.ImpossibleHost(f"{host} cannot be a host's name") from failure
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as failure:
        raise failures.UnknownHost(f"{host} is not known") from failure
    problem: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as failure:
            sock.close()
            problem = failure
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failures.Unreachable(f"{host} cannot be reached") from problem


def _is_tls(sock: Any) -> bool:
    return type(sock) is not socket.socket
