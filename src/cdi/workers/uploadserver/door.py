"""
Where connections come in: those that ask for copies in ranges go one way, all others the other.

Which it is stands in the first record of TLS, which is looked at and left where it is. Whoever
sends none for a while is hung up on. Durations in seconds. Raises OSError.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cdi.workers.ranged import clienthello, greeting
from cdi.workers.uploadserver import sockets

log = logging.getLogger(__name__)

HEAD: Final = 10.0  # for the first record
_BACKLOG: Final = 128
_PAUSE: Final = 0.1  # when there are no file descriptors left

Speak = Callable[[socket.socket], Awaitable[Any]]


class Door:
    """One listening socket. It is open from the beginning, within a running event loop."""

    def __init__(self, address: str, port: int, http: Speak, copies: Speak) -> None:
        """`http` and `copies` get connections, and may raise OSError; an address may be empty."""
        self._http, self._copies = http, copies
        self._talks: set[asyncio.Task[None]] = set()
        self._socket = _listening(address, port)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Take no connection any more, and end those that have not got anywhere."""
        tasks = [self._accepting, *self._talks]
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                plain, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                log.warning("no connection can be taken", extra={"cause": str(error)})
                await asyncio.sleep(_PAUSE)
                continue
            plain.setblocking(False)
            talk = asyncio.create_task(self._talk(plain))
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)

    async def _talk(self, plain: socket.socket) -> None:
        try:
            async with asyncio.timeout(HEAD):
                offered = clienthello.offers(await _first_record(plain))
        except (OSError, TimeoutError):
            plain.close()
            return
        except asyncio.CancelledError:
            plain.close()
            raise
        speak = self._copies if greeting.PROTOCOL.encode() in offered else self._http
        with contextlib.suppress(OSError):  # of a handshake, for one
            await speak(plain)


def _listening(address: str, port: int) -> socket.socket:
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    if not socket.has_dualstack_ipv6():
        return socket.create_server(("", port), backlog=_BACKLOG)
    return socket.create_server(
        ("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
    )


async def _first_record(plain: socket.socket) -> bytes:
    """Return the first record, complete; less where it is none, or the line has ended."""
    wanted, seen = clienthello.HEADER, b""
    while True:
        # The loop is told when there is so much, and not of every byte before.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
        await sockets.ready(plain)
        found = plain.recv(wanted, socket.MSG_PEEK)
        needed = clienthello.wanted(found)
        if len(found) >= needed or len(found) <= len(seen):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            return found
        wanted, seen = needed, found
