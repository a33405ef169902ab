"""
A server of ours over TLS in the test's own loop, and clients that it can be asked with.
"""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from cdi import pki
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import Files, ServerTls

DAY = datetime.timedelta(days=1)
HOST = "localhost"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def authority(name: str = "signer") -> pki.Pair:
    return pki.make_authority(name, now(), 2 * DAY)


def written(directory: Path, pair: pki.Pair) -> Files:
    """A pair as a Secret is mounted."""
    directory.mkdir(exist_ok=True)
    files = Files(directory / "tls.crt", directory / "tls.key")
    for path, text in ((files.certificate, pair.certificate), (files.key, pair.key)):
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)
    return files


def server_pair(signer: pki.Pair) -> pki.Pair:
    return pki.issue(signer, HOST, pki.Use.SERVER, now(), DAY, hosts=[HOST])


def client_context(
    signer: pki.Pair, shown: pki.Pair | None = None, directory: Path | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=signer.certificate)
    if shown is not None:
        assert directory is not None
        files = written(directory, shown)
        context.load_cert_chain(files.certificate, files.key)
    return context


@dataclass
class Served:
    """A server that listens."""

    server: WebServer
    health: Health
    stop: asyncio.Event
    ended: asyncio.Future[None]

    def url(self, path: str, scheme: str = "https") -> str:
        return f"{scheme}://{HOST}:{self.server.port}{path}"


@asynccontextmanager
async def serving(
    app: web.Application, tls: ServerTls | None, health: Health | None = None, **options: Any
) -> AsyncIterator[Served]:
    health = health or Health()
    app.router.add_routes(health.routes())
    options.setdefault("drain", 0.0)
    server = WebServer("test", app, Address("127.0.0.1", 0), tls, health, **options)
    async with run(server) as (stop, ended):
        yield Served(server, health, stop, ended)


@asynccontextmanager
async def run(server: WebServer) -> AsyncIterator[tuple[asyncio.Event, asyncio.Future[None]]]:
    """A server that listens, until the block ends; what stops it earlier, and its end."""
    stop = asyncio.Event()
    ended = asyncio.ensure_future(server.run(stop))
    listening = asyncio.ensure_future(server.ready())
    await asyncio.wait({ended, listening}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    try:
        yield stop, ended
    finally:
        stop.set()
        await ended


@asynccontextmanager
async def session(context: ssl.SSLContext | bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    """One client; its connections are kept."""
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as made:
        yield made


async def asked_anew(context: ssl.SSLContext, url: str) -> int:
    """The status that a client gets which connects for this."""
    async with session(context) as client, client.get(url) as answer:
        return answer.status


class Connection:
    """One connection that is kept, by hand, so that one sees what the server showed on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def serial(self) -> int:
        """The number of the server's certificate."""
        shown = self._writer.get_extra_info("peercert")
        return int(shown["serialNumber"], 16)

    async def get(self, path: str) -> int:
        """The status of one more request."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split()[0])
        await self._reader.readexactly(length)
        return int(head.split()[1])


@asynccontextmanager
async def connected(served: Served, context: ssl.SSLContext) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", served.server.port, ssl=context, server_hostname=HOST
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
