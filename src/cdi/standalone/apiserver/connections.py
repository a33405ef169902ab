"""
Connections that nobody uses end after a bounded time.

Here: the time to a connection's first request, to the end of a request that has begun, and between
two of them. Elsewhere: requests themselves; an answer may take as long as it takes (watches do). A
connection that is given up is cut without an answer: nobody there was about to read one.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    first: float = 30.0  # from the connection to the end of its first header, TLS included
    body: float = 60.0  # from a header to the end of the body: 3 MiB at 50 KiB a second
    idle: float = 90.0  # between two requests, as Go's servers have it


class Connections:
    """Makes the protocols of a server, and cuts those that nothing comes from."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._silent: dict[asyncio.Protocol, asyncio.TimerHandle] = {}

    def open(self, server: web.Server) -> RequestHandler:
        """The protocol of a new connection."""
        made = server()
        loop = asyncio.get_running_loop()
        self._silent[made] = loop.call_later(self.patience.first, self._give_up, made)
        return made

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The first header has come; now the body has to."""
        if timer := self._silent.pop(request.protocol, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.patience.body, _cut_unfinished, request)
        try:
            return await handler(request)
        finally:
            timer.cancel()

    def _give_up(self, protocol: RequestHandler) -> None:
        self._silent.pop(protocol, None)
        if protocol.transport is not None:
            protocol.transport.abort()


def _cut_unfinished(request: web.Request) -> None:
    if not request.content.is_eof() and request.transport is not None:
        request.transport.abort()
