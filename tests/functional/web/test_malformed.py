"""What is no HTTP is answered in our words, which repeat nothing of it."""

import asyncio
import json
import logging

import pytest
from aiohttp import web

from support import serving

HEAD = "POST /take HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"


class Taker:
    """A server's application that reads a body, and says when it has some of it."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.app.router.add_post("/take", self._take)
        self.has_some = asyncio.Event()

    async def _take(self, request: web.Request) -> web.Response:
        while await request.content.readany():
            self.has_some.set()
        return web.Response()


async def _told(*pieces: str) -> bytes:
    """The answer to bytes of which all but the first wait until the ones before were read."""
    taker = Taker()
    async with serving.serving(taker.app, None) as served, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(pieces[0].encode())
        for piece in pieces[1:]:
            await taker.has_some.wait()
            writer.write(piece.encode())
        try:
            return await reader.read()
        finally:
            writer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(("GET /SECRET\x01 HTTP/1.1\r\nHost: x\r\n\r\n",), id="path"),
        pytest.param((f"{HEAD}Authorization Bearer SECRET\r\n\r\n",), id="header"),
        pytest.param((f"{HEAD}Authorization: {'SECRET' * 2000}\r\n\r\n",), id="long-header"),
        pytest.param((f"{CHUNKED}SECRET\r\nabc\r\n",), id="first-chunk"),
        pytest.param((f"{CHUNKED}3\r\nabc\r\n", "SECRET\r\nabc\r\n"), id="later-chunk"),
    ],
)
def test_nothing_is_repeated_of_what_cannot_be_read(pieces, caplog):
    with caplog.at_level(logging.DEBUG):
        said = asyncio.run(_told(*pieces))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.")
    assert b" 400 Bad Request" in head
    assert json.loads(body)["reason"] == "MalformedRequest"
    assert b"SECRET" not in said
    assert "SECRET" not in caplog.text
    assert "Traceback" not in caplog.text
