"""
Connections to upload servers: who they are is verified, and so is who we are.

Certificates and authorities may change at any time. Whatever is sent next uses the new ones;
what is under way goes on over the connections that it has. Connections are kept for a moment,
as the chunks of a resumable upload follow each other. Times are in seconds.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from cdi import pki
from cdi.kube import errors
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.transport import watched_socket
from cdi.web.uploadproxy.identity import Identity, ReadIdentity
from cdi.web.uploadproxy.refusals import Refused

log = logging.getLogger(__name__)

BELIEVED: Final = 5.0  # until certificates are looked at again
_CONNECT: Final = 5.0
_KEPT: Final = 15.0  # an idle connection; servers keep theirs for longer
_UNANSWERED: Final = 60_000  # milliseconds that bytes sent may wait for a machine to take them
BUFFER: Final = 256 << 10  # bytes of an answer that wait for a slow client
# Headers that the client did not send are not invented.
_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class _Pool:
    """A session that is closed when its last request is over and there is a newer one."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.users = 0
        self.retired = False
        self.session = _session(identity)

    async def close_if_unused(self) -> None:
        if self.retired and not self.users:
            await self.session.close()


class Peers:
    """Hands out the session of now. Use as `async with`; belongs to one event loop."""

    def __init__(self, read: ReadIdentity, clock: Clock | None = None) -> None:
        self._read = read
        self._clock = clock or SystemClock()
        self._pool: _Pool | None = None
        self._until = 0.0

    async def close(self) -> None:
        """Cut what there is."""
        if self._pool is not None:
            await self._pool.session.close()

    def doubt(self) -> None:
        """Look at the certificates again: a server did not like ours, or we not its."""
        self._until = 0.0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A session for one request. Raises Refused where there are no certificates."""
        pool = await self._current()
        pool.users += 1
        try:
            yield pool.session
        finally:
            pool.users -= 1
            await pool.close_if_unused()

    async def _current(self) -> _Pool:
        now = self._clock.now()
        if self._pool is None or now >= self._until:
            self._until = now + BELIEVED
            await self._renew()
        if self._pool is None:
            raise Refused(
                500, "NoCertificates", "the upload proxy has no certificates to use", retry_after=5
            )
        return self._pool

    async def _renew(self) -> None:
        """Exchange the pool if there are other certificates; ones that are no good are not."""
        try:
            identity = await self._read()
            if self._pool is not None and self._pool.identity == identity:
                return
            made = _Pool(identity)
        except (OSError, ValueError, errors.KubeError) as error:
            log.warning("certificates cannot be used", extra={"cause": str(error)})
            return
        old, self._pool = self._pool, made
        if old is not None:
            log.info("certificates have changed")
            old.retired = True
            await old.close_if_unused()


def _session(identity: Identity) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        ssl=_context(identity),
        keepalive_timeout=_KEPT,
        use_dns_cache=False,  # a pod that replaces another has another address
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        # A conversion may take hours; the kernel notices when the other machine is gone.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_AUTOMATIC,
        read_bufsize=BUFFER,
    )


def _context(identity: Identity) -> ssl.SSLContext:
    """Raises OSError, ValueError."""
    if not identity.authorities:
        raise ValueError("there are no authorities of upload servers")
    context = ssl.create_default_context(cadata=identity.authorities)
    # Python 3.13 insists on key identifiers, which an installation's own CA may lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    pki.load_pair(context, pki.Pair(identity.certificate, identity.key))
    return context


def _socket(info: aiohttp.AddrInfoType) -> socket.socket:
    made = watched_socket(info)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED)
    return made
