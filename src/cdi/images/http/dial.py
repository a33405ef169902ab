"""
Connections to where a request goes: TCP, TLS, and through proxies.

Raises Unreachable and its kin, ProxyFailed, ssl.SSLError; `failures` says what they mean.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cdi.images.http import connection, proxies, urls

if TYPE_CHECKING:
    import ssl


class Unreachable(OSError):
    """No connection came about; the cause says why."""


class UnknownHost(Unreachable):
    """There is no such name."""


class ImpossibleHost(OSError):
    """No host can have this name."""


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
            raise proxies.ProxyFailed from failure
        if there.scheme == "http":
            return sock
        try:
            self._hurry(sock, began)
            return self._secured(sock, there.host)
        except OSError as failure:
            sock.close()
            raise proxies.ProxyFailed from failure

    def _hurry(self, sock: Any, began: float) -> None:
        sock.settimeout(max(0.001, began + self._timeout - time.monotonic()))

    def _secured(self, sock: Any, host: str, *, within_tls: bool = False) -> Any:
        name = host.strip("[]").rstrip(".")
        if not within_tls:
            return self._context().wrap_socket(sock, server_hostname=name)
        # TLS in TLS is rare enough to be somebody else's.
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(sock, self._context(), server_hostname=name)


def connected(host: str, port: int, timeout: float) -> socket.socket:
    """Return a TCP connection to the first address of `host` that takes one."""
    try:
        name = host.strip("[]").encode("idna").decode()
    except UnicodeError as failure:
        raise ImpossibleHost(f"{host} cannot be a host's name") from failure
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as failure:
        raise UnknownHost(f"{host} is not known") from failure
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
    raise Unreachable(f"{host} cannot be reached") from problem


def _is_tls(sock: Any) -> bool:
    return type(sock) is not socket.socket
