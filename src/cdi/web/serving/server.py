"""
One server, as a part for `kube.manager`.

Up: ready once it listens. Down: first it is no longer ready and goes on serving for DRAIN, because
others still send requests until they have heard; then it listens no more, and what is under way
gets GRACE to end. Clients that connect and say nothing are hung up on. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.web.serving import connection
from cdi.web.serving.connection import Connection
from cdi.web.serving.health import Health
from cdi.web.serving.tls import LiveContext, ServerTls

log = logging.getLogger(__name__)

DRAIN: Final = 5.0
GRACE: Final = 10.0
HEAD: Final = 10.0  # for the handshake, and for the first request's head after it
BUFFER: Final = 64 << 10
_BACKLOG: Final = 256


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str = "0.0.0.0"  # noqa: S104 - pods are reached by an address that they do not know
    port: int = 8443


class WebServer:
    """Serves `app`: by TLS, or in clear where `tls` is None."""

    def __init__(
        self,
        name: str,
        app: web.Application,
        address: Address,
        tls: ServerTls | None,
        health: Health,
        *,
        drain: float = DRAIN,
        head: float = HEAD,
        buffer: int = BUFFER,
        as_sent: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`buffer` is how many bytes of a body may wait for whoever reads it; with `as_sent` a
        body stays compressed if it comes so."""
        self.name = name
        self.port = 0  # once it listens
        self._app = app
        self._address = address
        self._context = LiveContext(tls) if tls else None
        self._health = health
        self._drain = drain
        self._head = head
        self._options: dict[str, Any] = {
            "access_log": None, "read_bufsize": buffer, "auto_decompress": not as_sent,
        }  # fmt: skip
        self._sleep = sleep
        self._listening = asyncio.Event()
        self._closed = asyncio.Event()
        self._silent: set[object] = set()
        self._draining = False
        app.middlewares.append(self._note)
        if self._context is not None:
            context = self._context
            health.require("certificate", lambda: context.is_usable)

    async def ready(self) -> None:
        await self._listening.wait()

    async def closed(self) -> None:
        """Return once no new connection is taken; what is under way may still go on."""
        await self._closed.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Raises OSError where the address cannot be had."""
        runner = web.AppRunner(self._app, shutdown_timeout=GRACE, **self._options)
        await runner.setup()
        try:
            server = await self._listen(runner)
            self._listening.set()
            try:
                await stop.wait()
                self._health.stop()
                self._draining = True
                await self._sleep(self._drain)
            finally:
                server.close()
                self._closed.set()
        finally:
            await runner.cleanup()
        log.info("server has stopped", extra={"server": self.name})

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        serve = runner.server
        if serve is None:
            raise RuntimeError("the runner was not set up")
        loop = asyncio.get_running_loop()

        def connected() -> asyncio.Protocol:
            handler = Connection(serve, loop=loop, **self._options)
            self._silent.add(handler)
            loop.call_later(self._head, self._hang_up_on_silence, handler)
            return handler

        server = await loop.create_server(
            connected,
            self._address.host,
            self._address.port,
            ssl=self._context,
            ssl_handshake_timeout=self._head if self._context else None,
            backlog=_BACKLOG,
            reuse_address=True,
        )
        self.port = server.sockets[0].getsockname()[1]
        log.info("server listens", extra={"server": self.name, "port": self.port})
        return server

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._silent.discard(request.protocol)
        try:
            response = await handler(request)
        except web.RequestPayloadError:
            return connection.malformed(connection.BODY)
        if self._draining:
            response.force_close()  # the next request had better find another server
        return response

    def _hang_up_on_silence(self, handler: web.RequestHandler) -> None:
        if handler in self._silent:
            self._silent.discard(handler)
            handler.force_close()
