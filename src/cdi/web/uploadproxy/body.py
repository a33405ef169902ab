"""
The body of a client's request, read only when somebody wants it and never ahead of them.

A client that asks first (`Expect: 100-continue`) is told to send once the first bytes are wanted,
so that whoever is refused has sent none. Times are in seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import aiohttp
from aiohttp import web
from aiohttp.http import HttpVersion11

IDLE: Final = 600.0  # a client that is silent for longer is gone, as for importers
# So many bytes are kept for another try: a connection that was kept may turn out to be gone once
# the first bytes have been written to it.
KEPT: Final = 512 << 10
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def not_yet(request: web.Request) -> None:
    """An expect handler for routes: the 100 is sent by `Body`."""


class Body:
    """What a client sends, block by block; to be iterated again only while it `can_begin_anew`."""

    def __init__(
        self, request: web.Request, passed: Callable[[int], None], idle: float = IDLE
    ) -> None:
        self._request = request
        self._passed = passed
        self._idle = idle
        self._begun: list[bytes] | None = []  # what has passed, as long as that is little
        self._count = 0
        self._asked = request.headers.get("Expect", "").lower() != "100-continue"
        self.ended = not request.body_exists
        self.trouble: Exception | None = None  # why the client sent no more

    @property
    def exists(self) -> bool:
        return self._request.body_exists

    @property
    def can_begin_anew(self) -> bool:
        """Whether somebody else can have all of it, once whoever had it asks for no more."""
        return self._begun is not None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises whatever goes wrong at the client's side; `trouble` is set then."""
        for block in self._begun or ():
            yield block
        if self.ended:
            return
        try:
            await self._say_continue()
            while block := await self._block():
                self._passed(len(block))
                self._keep(block)
                yield block
        except (OSError, aiohttp.ClientError, web.RequestPayloadError) as error:
            self.trouble = error  # a TimeoutError is an OSError
            raise
        self.ended = True

    def _keep(self, block: bytes) -> None:
        self._count += len(block)
        if self._begun is not None:
            self._begun.append(block)
            if self._count > KEPT:
                self._begun = None

    async def _block(self) -> bytes:
        async with asyncio.timeout(self._idle):
            return await self._request.content.readany()

    async def _say_continue(self) -> None:
        if self._asked:
            return
        self._asked = True
        request = self._request
        if request.version == HttpVersion11:
            writer = request.writer
            await writer.write(_CONTINUE)
            writer.output_size = 0  # what was written is no part of the answer
