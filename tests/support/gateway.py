"""
A network as uploads meet it: stock nginx before the proxy, and connections that are cut.

    async with gateway.through(directory, proxy_port, cut_after=3 << 20) as way:
        way.url, way.sent   # bytes that clients have sent into it
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
daemon off; user {user}; worker_processes 1; pid nginx.pid; error_log error.log;
events {{}}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass https://127.0.0.1:{to}; }} }}
}}
"""


@dataclass
class Way:
    """How clients get there."""

    inner: int  # port of nginx
    cut_after: int  # bytes of one connection
    url: str = ""
    sent: int = 0
    cuts: int = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", self.inner)
        back = asyncio.ensure_future(_pass(there, writer))
        left = self.cut_after
        with contextlib.suppress(OSError):
            while left > 0 and (block := await reader.read(min(65536, left))):
                self.sent += len(block)
                left -= len(block)
                onward.write(block)
                await onward.drain()
        self.cuts += left <= 0
        back.cancel()
        for each in (writer, onward):
            each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()


@asynccontextmanager
async def through(directory: Path, to: int, *, cut_after: int) -> AsyncIterator[Way]:
    """A way to the port `to` of this machine, which speaks TLS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await asyncio.to_thread(directory.mkdir)
    (directory / "nginx.conf").write_text(_CONFIG.format(port=port, to=to, user=getpass.getuser()))
    process = await asyncio.create_subprocess_exec(
        "nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", "error.log"
    )
    way = Way(port, cut_after)
    server = await asyncio.start_server(way.accept, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        server.close()
        process.terminate()
        await process.wait()
