"""
From a request to the transfer: bytes are read as fast as the disk takes them, and no faster.

Raises Refused for a body that is no form where one has to be; ConnectionLost where the sender
breaks off, Stalled where nothing comes for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol

import aiohttp
from aiohttp import web

from cdi.images import errors
from cdi.workers.uploadserver import answers
from cdi.workers.uploadserver.uploads import Upload

FILE: Final = "file"
_CHUNK: Final = 256 << 10


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
    with sender_errors(idle):
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


@contextlib.contextmanager
def sender_errors(idle: float) -> Iterator[None]:
    """Say what it means that a sender breaks off, or sends nothing for `idle` seconds."""
    try:
        yield
    except TimeoutError as error:
        raise errors.Stalled(f"nothing came from the sender for {idle:.0f} s") from error
    except (OSError, aiohttp.ClientError, web.RequestPayloadError, EOFError) as error:
        raise errors.ConnectionLost("the sender has broken off; send it again") from error


class FormFile:
    """The part called `file` of a form; what else there is in it is skipped."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._part: aiohttp.BodyPartReader | None = None

    async def __call__(self) -> bytes:
        """Return the next bytes. Raises Refused if there is no such part, or no form."""
        try:
            if self._part is None:
                self._part = await self._found()
            if piece := await self._part.read_chunk(_CHUNK):
                return bytes(piece)
        except (ValueError, AssertionError) as error:
            raise _no_form(f"the form is malformed: {error}") from error
        while await self._request.content.readany():
            pass
        return b""

    async def _found(self) -> aiohttp.BodyPartReader:
        if not is_form(self._request):
            raise _no_form("want a form (multipart/form-data)")
        async for part in await self._request.multipart():
            if isinstance(part, aiohttp.BodyPartReader) and part.name == FILE:
                return part
        raise _no_form(f"the form has no part called {FILE}")


def is_form(request: web.Request) -> bool:
    """Whether a request says that its body is a form."""
    return request.content_type == "multipart/form-data"


def _no_form(why: str) -> answers.Refused:
    return answers.Refused(400, answers.NO_FORM, why)


async def _until_empty(pieces: Pieces) -> AsyncIterator[bytes]:
    while piece := await pieces():
        yield piece
