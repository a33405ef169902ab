"""
One HTTP session to one API server: bytes out, bytes in, errors translated.

Here: connections, credentials, the client-side rate limit, timeouts, the few retries that are
safe, and the only place where HTTP errors become `errors`. Elsewhere: what the requests mean
(`client`).

What is repeated, and nothing else: a request that never left because nobody listened; one that
the server sent away with 429 and Retry-After; likewise 503, if its verb may be repeated; once, a
request that was answered 401, with renewed credentials; and, by aiohttp itself, once, a request
with such a verb whose kept-alive connection turned out to be dead. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import aiohttp
from yarl import URL

from cdi.kube import errors
from cdi.kube.backoff import Backoff
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.connection import Access, Credentials, Tls
from cdi.kube.ratelimit import TokenBucket

log = logging.getLogger(__name__)

_SHORT = Backoff(first=0.2, longest=2.0)
_RENEWAL_INTERVAL = 5.0
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient and how eager a client is."""

    user_agent: str = f"python-controller ({platform.system().lower()}/{platform.machine()})"
    connect_timeout: float = 10.0
    # The server itself gives up on an ordinary request after 60 s.
    request_timeout: float = 70.0
    # Requests a second, and how many at once after a rest. Enough for 500 objects a minute at
    # several writes each; a server with priority and fairness defends itself on top.
    rate: float = 50.0
    burst: int = 100
    attempts: int = 4
    # A longer wish than this is not sat out here but left to the caller's own back-off.
    longest_retry_after: float = 30.0
    backoff: Backoff = _SHORT


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a value; `body` is ready bytes."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"


class Observer(Protocol):
    """Told of every request that was sent; implemented by whoever publishes metrics."""

    def answered(self, request: Request, code: int, seconds: float) -> None:
        """`code` is the HTTP status, or 0 where there was no answer."""


class Transport:
    """Sends requests. Use as `async with`; belongs to one event loop."""

    def __init__(
        self,
        credentials: Credentials,
        settings: Settings | None = None,
        clock: Clock | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer
        self._credentials = credentials
        self._settings = settings or Settings()
        self._clock = clock or SystemClock()
        self._bucket = TokenBucket(self._settings.rate, self._settings.burst)
        self._session: aiohttp.ClientSession | None = None
        self._tls: Tls | None = None
        self._renewing = asyncio.Lock()
        self._renewed: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; requests and watches under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request, *, throttled: bool = True) -> bytes:
        """Return the body of a successful answer; raise ConnectionFailed or ApiError."""
        limits = aiohttp.ClientTimeout(
            total=self._settings.request_timeout, connect=self._settings.connect_timeout
        )
        async with self._answer(request, limits, throttled=throttled) as response:
            with _translated(request):
                return await response.read()

    @asynccontextmanager
    async def stream(
        self, request: Request, *, throttled: bool = True
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Hand out a successful answer's body piece by piece, for as long as it lasts.

        Only connecting and the answer's head are bounded in time; how long silence is borne
        is the caller's to say.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout)
        async with self._answer(request, limits, throttled=throttled) as response:
            yield _pieces(request, response)

    @asynccontextmanager
    async def _answer(
        self, request: Request, limits: aiohttp.ClientTimeout, *, throttled: bool
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._persist(request, limits, throttled=throttled)
        try:
            yield response
        finally:
            # Not release(): that would drain a watch. A body that was read to its end has
            # given its connection back already.
            response.close()

    async def _persist(
        self, request: Request, limits: aiohttp.ClientTimeout, *, throttled: bool
    ) -> aiohttp.ClientResponse:
        """Send until there is a good answer or an error that repeating would not mend."""
        renewed = False
        failures = 0
        while True:
            if throttled:
                await self._wait_for_turn()
            access = await self._credentials.current()
            try:
                return await self._observed(request, access, limits)
            except errors.Unauthorized:
                if renewed:
                    raise
                await self._renew(access)
                renewed = True
            except errors.KubeError as error:
                failures += 1
                pause = self._pause_before_repeating(request, error, failures)
                if pause is None:
                    raise
                log.debug(
                    "request is repeated",
                    extra={"path": request.path, "pause": pause, "cause": str(error)},
                )
                await self._clock.sleep(pause)

    def _pause_before_repeating(
        self, request: Request, error: errors.KubeError, failures: int
    ) -> float | None:
        """Seconds to wait, or None where the error has to be the caller's."""
        if failures >= self._settings.attempts:
            return None
        if isinstance(error, errors.ConnectFailed):
            return self._settings.backoff.pause(failures)
        refused = isinstance(error, errors.TooManyRequests) or (
            isinstance(error, errors.Unavailable) and request.method in _REPEATABLE
        )
        if not refused or not isinstance(error, errors.ApiError) or error.retry_after is None:
            return None
        if error.retry_after > self._settings.longest_retry_after:
            return None
        return max(error.retry_after, self._settings.backoff.pause(failures))

    async def _observed(
        self, request: Request, access: Access, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """One attempt, of which the observer is told."""
        began, code = self._clock.now(), 0
        try:
            response = await self._attempt(request, access, limits)
            code = response.status
        except errors.ApiError as error:
            code = error.code
            raise
        else:
            return response
        finally:
            if self._observer is not None:
                self._observer.answered(request, code, self._clock.now() - began)

    async def _attempt(
        self, request: Request, access: Access, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """One request, one answer; an answer that is an error is read and raised."""
        session = await self._session_for(access)
        head_limit = limits.total or self._settings.request_timeout
        with _translated(request):
            async with asyncio.timeout(head_limit):
                response = await session.request(
                    request.method,
                    URL(access.server + request.path, encoded=True).with_query(request.query),
                    data=request.body,
                    headers=_headers(request, access),
                    timeout=limits,
                    proxy=access.proxy or None,
                    server_hostname=access.tls.server_name or None,
                    allow_redirects=False,
                )
                if response.status < 300:
                    return response
                async with response:
                    body = await response.read()
        raise errors.from_answer(response.status, body, response.headers.get("Retry-After"))

    async def _session_for(self, access: Access) -> aiohttp.ClientSession:
        """The one session, made anew where certificates were exchanged."""
        if self._session is not None and self._tls == access.tls:
            return self._session
        # Exchanged before the first await, so that no other request makes a second one.
        old, self._session = self._session, _new_session(access, self._settings)
        self._tls = access.tls
        made = self._session
        if old is not None:
            await old.close()
        return made

    async def _renew(self, used: Access) -> None:
        """Fetch other credentials, unless that was done since `used` was handed out."""
        async with self._renewing:
            if await self._credentials.current() != used:
                return
            # An exec plugin that hands out the same refused token again and again would
            # otherwise run once for every request.
            now = self._clock.now()
            if self._renewed is None or now - self._renewed >= _RENEWAL_INTERVAL:
                self._renewed = now
                await self._credentials.renew()

    async def _wait_for_turn(self) -> None:
        pause = self._bucket.reserve(self._clock.now())
        if pause > 0:
            await self._clock.sleep(pause)


def _new_session(access: Access, settings: Settings) -> aiohttp.ClientSession:
    context = access.tls.context() if access.server.startswith("https") else False
    return aiohttp.ClientSession(
        # No limit on connections: every watch holds one for good.
        connector=aiohttp.TCPConnector(
            limit=0, ssl=context, keepalive_timeout=60, socket_factory=watched_socket
        ),
        headers={"User-Agent": settings.user_agent},
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=1 << 20,
    )


def _headers(request: Request, access: Access) -> dict[str, str]:
    # Compression is refused: servers are near, and inflating big lists would block the loop.
    headers = {"Accept": request.accept, "Accept-Encoding": "identity"}
    if access.authorization:
        headers["Authorization"] = access.authorization
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers


async def _pieces(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _translated(request):
        async for piece in response.content.iter_any():
            yield piece


@contextlib.contextmanager
def _translated(request: Request) -> Iterator[None]:
    """The border: what aiohttp, ssl and the socket say becomes one of ours."""
    what = f"{request.method} {request.path}"
    try:
        yield
    except TimeoutError as error:
        raise errors.TimedOut(f"{what}: no answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise errors.ConnectFailed(f"{what}: {error}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise errors.ConnectionBroken(f"{what}: {error or type(error).__name__}") from error


def watched_socket(info: Any) -> socket.socket:
    """A socket whose kernel notices within a minute that the other machine is gone."""
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return made
