"""
From a request to the transfer: bytes are read as fast as the disk takes them, and no faster.

Raises Refused for a body that is no form where one has to be; ConnectionLost where the sender
breaks off, Stalled where nothing comes for too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
from aiohttp import web

from cdi.images import errors
from cdi.workers.uploadserver.uploads import Upload


class Pieces(Protocol):
    """Where the bytes of a body come from; empty at the end."""

    async def __call__(self) -> bytes: ...


async def continue_later(request: web.Request) -> None:
    """Answer no `Expect` before it is known that the body is wanted."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed


async def ask_for_body(request: web.Request) -> None:
    """Tell a sender that waits for it to send the body."""
    if "Expect" in request.headers and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def pump(pieces: Pieces, upload: Upload, idle: float) -> None:
    """Hand everything to the upload, as long as it reads. Raises SourceError.

    `idle` is how long the sender may send nothing.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(idle) as patience:
            async for piece in _until_empty(pieces):
                upload.heard()
                patience.reschedule(None)
                while not upload.source.offer(piece):
                    if upload.source.is_gone:
                        return
                    upload.moved.clear()
                    if upload.source.is_full:
                        await upload.moved.wait()
                upload.heard()
                patience.reschedule(loop.time() + idle)
    except TimeoutError as error:
        raise errors.Stalled(f"nothing came from the sender for {idle:.0f} s") from error
    except (OSError, aiohttp.ClientError, web.RequestPayloadError, EOFError) as error:
        raise errors.ConnectionLost("the sender has broken off; send it again") from error


async def _until_empty(pieces: Pieces) -> AsyncIterator[bytes]:
    while piece := await pieces():
        yield piece
