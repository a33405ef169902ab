"""
A way to a server on which no connection lasts: stock nginx, and before it somebody who cuts.

nginx is as its package leaves it: a request may have 1 MiB, and wait for 60 s. Every connection is
reset after the same time, whatever it carries. All bytes that reach the way count as sent, also
those that are lost with their connection. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import getpass
import socket
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench import tools, webserver

_BLOCK: Final = 256 << 10
_RESET: Final = struct.pack("ii", 1, 0)  # for SO_LINGER: nothing is sent any more

_CONFIG: Final = """
daemon off; user {user}; worker_processes 1; pid nginx.pid; error_log error.log;
events {{}}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {to}; }} }}
}}
"""


class Way:
    """Where clients connect, and what has come through."""

    def __init__(self, inner: int, every: float) -> None:
        self.sent = self.cuts = 0
        self._inner, self._every = inner, every
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    async def run(self) -> None:
        """Take connections until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                client, _ = await loop.sock_accept(self._listening)
                client.setblocking(False)
                talk = asyncio.create_task(self._talk(client))
                self._talks.add(talk)
                talk.add_done_callback(self._talks.discard)
        finally:
            self._listening.close()
            for each in self._talks:
                each.cancel()

    async def _talk(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with client, socket.socket() as server:
            server.setblocking(False)
            try:
                async with asyncio.timeout(self._every):
                    await loop.sock_connect(server, ("127.0.0.1", self._inner))
                    await asyncio.gather(self._there(client, server), _back(server, client))
            except TimeoutError:
                self.cuts += 1
                self.sent += _unread(client)
                _reset(client, server)
            except OSError:
                _reset(client, server)

    async def _there(self, client: socket.socket, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while block := await loop.sock_recv(client, _BLOCK):
            self.sent += len(block)
            await loop.sock_sendall(server, block)
        server.shutdown(socket.SHUT_WR)


async def _back(server: socket.socket, client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while block := await loop.sock_recv(server, _BLOCK):
        await loop.sock_sendall(client, block)
    client.shutdown(socket.SHUT_WR)


def _unread(line: socket.socket) -> int:
    """What has come over a connection, and nobody has taken."""
    (count,) = struct.unpack("i", fcntl.ioctl(line, termios.FIONREAD, bytes(4)))
    return int(count)


def _reset(*lines: socket.socket) -> None:
    for each in lines:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@asynccontextmanager
async def through(folder: Path, to: str, *, every: float) -> AsyncIterator[Way]:
    """A way to the server at the URL `to`, cut each `every` seconds. Raises ToolFailed."""
    port = webserver.free_port()
    (folder / "nginx.conf").write_text(
        _CONFIG.format(port=port, to=to, user=getpass.getuser()), encoding="utf-8"
    )
    nginx = await asyncio.create_subprocess_exec(
        "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "error.log",
        env=tools.environment(),
    )  # fmt: skip
    way = Way(port, every)
    running = asyncio.create_task(way.run())
    try:
        yield way
    finally:
        running.cancel()
        await asyncio.wait({running})
        with contextlib.suppress(ProcessLookupError):
            nginx.terminate()
        await nginx.wait()
