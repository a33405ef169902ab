"""Sockets that do not block, awaited without a transport between. For the event loop's thread."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def ready(line: socket.socket, *, to_write: bool = False) -> None:
    """Return when a connection can be read from, or written to."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not told.done():
            told.set_result(None)

    number = line.fileno()
    (loop.add_writer if to_write else loop.add_reader)(number, tell)
    try:
        await told
    finally:
        (loop.remove_writer if to_write else loop.remove_reader)(number)


async def patiently(line: ssl.SSLSocket, call: Callable[[], T]) -> T:
    """Make a call on a connection that does not block, as often as it takes."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            await ready(line)
        except ssl.SSLWantWriteError:
            await ready(line, to_write=True)
