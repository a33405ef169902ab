"""
The server's end of copies in ranges. One at a time, as there is one volume.

The event loop shakes hands and tells senders how it ends; the connections that carry bytes are
handed to the threads of the transfer, which ask over them. A sender that breaks off ends its
upload at once, with a journal: the next one goes on. Durations in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cdi.api.termination import Termination
from cdi.images import errors
from cdi.images.http import retry
from cdi.images.sources.nbd.source import NbdSource, Settings
from cdi.images.sources.nbd.transport import TICK, Transport, Watch
from cdi.workers.ranged import greeting, sealed
from cdi.workers.ranged.digests import Digest
from cdi.workers.ranged.greeting import Answer, Hello
from cdi.workers.ranged.keepalive import keep_alive
from cdi.workers.ranged.sealed import Seal, Sealed
from cdi.workers.uploadserver import answers, sockets, tls
from cdi.workers.uploadserver.answers import Refused
from cdi.workers.uploadserver.filling import Filling, Inflow
from cdi.workers.uploadserver.uploads import Upload, Uploads

log = logging.getLogger(__name__)

HEAD: Final = 10.0  # for the handshake and the first line
HEARD: Final = 3.0  # for a sender to show that it has heard of the end
DIAL: Final = 30.0  # for a sender's next connection, after one has broken
_REQUEST: Final = 1 << 20  # bytes that are asked for at once: what an export allows
_SHOWN: Final = "the sender"


@dataclass(frozen=True, slots=True)
class CopyConnection:
    """One connection of a copy, and the key with which it goes on after TLS; empty within TLS."""

    sock: socket.socket
    seal: str

    def transport(self, watch: Watch, shown: str) -> Transport:
        """See `transport.Carrier`."""
        if not self.seal:
            return Transport(self.sock, watch, shown)
        keys = Seal(self.seal, sealed.SERVER), Seal(self.seal, sealed.SENDER)
        return Sealed(self.sock, watch, shown, *keys)


class Lines:
    """The connections of one copy that wait to be asked over. Any thread may call."""

    def __init__(self, hello: Hello) -> None:
        self.hello, self.digest = hello, Digest(hello.key)
        self._waiting: queue.SimpleQueue[CopyConnection] = queue.SimpleQueue()
        self._closed = threading.Event()

    def add(self, line: CopyConnection) -> None:
        """Take one in, or close it if the copy is over."""
        self._waiting.put(line)
        if self._closed.is_set():
            self.close()

    def dial(self) -> CopyConnection:
        """Return the next one. Raises ConnectionLost."""
        until = time.monotonic() + DIAL
        while not self._closed.is_set() and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                return self._waiting.get(timeout=TICK)
        raise errors.ConnectionLost("the sender has broken off")

    def close(self) -> None:
        """Close those that nobody has taken; no other one comes."""
        self._closed.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait().sock.close()

    def open(self, halt: threading.Event) -> Ranged:
        """Open the disk that is behind them."""
        return Ranged(self, halt, greeting.DISK, self.hello.version)

    def open_files(self, halt: threading.Event) -> Ranged:
        """Open the tar of what is beside it; nobody vouches that it is that of an earlier copy."""
        return Ranged(self, halt, greeting.FILES, "")


class Ranged(NbdSource):
    """A sender's disk, or its files."""

    preferred_request = _REQUEST  # see `source.PrefersLargeRequests`

    def __init__(self, lines: Lines, halt: threading.Event, export: str, version: str) -> None:
        settings = Settings(
            export=export,
            connections=greeting.CONNECTIONS,
            read_bytes=_REQUEST,
            digest=lines.digest,
            retries=retry.Policy(tries=6, opening_tries=3),
        )
        super().__init__(lines.dial, _SHOWN, settings, version=version, cancel=halt)


class Copying(Upload):
    """The upload of a sender in ranges, which is there for as long as its connection is."""

    @property
    def silent_for(self) -> float:
        return 0.0


class Receiver:
    """Takes copies for one server."""

    def __init__(
        self,
        uploads: Uploads,
        filling: Filling,
        context: ssl.SSLContext,
        client_name: str,
        began: Callable[[], None],
        finish: Callable[[Termination], None],
    ) -> None:
        """`began` is told that another upload has the volume; `finish` of a good end."""
        self._uploads, self._filling, self._context = uploads, filling, context
        self._client_name, self._began, self._finish = client_name, began, finish
        self._lines: Lines | None = None

    async def serve(self, plain: socket.socket) -> None:
        """Talk over a connection whose client offers PROTOCOL; returns when that is done."""
        plain.setblocking(False)
        # A question is short, and often the second one: it waited 40 ms for the other end's word
        # that the first has come.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        try:
            hello = await asyncio.wait_for(self._hello(line), HEAD)
            if hello is not None and hello.carries:
                if self._lines is not None and self._lines.hello.copy == hello.copy:
                    await self._take(line, hello.seal, self._lines)
                    return
            elif hello is not None:
                await self._copy(line, hello)
        except (OSError, TimeoutError, greeting.Nonsense) as error:
            log.info("a connection of a copy ended", extra={"cause": str(error)})
        line.close()

    def close(self) -> None:
        """Let go of connections that nobody asks over."""
        if self._lines is not None:
            self._lines.close()

    async def _hello(self, line: ssl.SSLSocket) -> Hello | None:
        """Shake hands; None for somebody who may not send, and has been told so."""
        await sockets.patiently(line, line.do_handshake)
        found = b""
        while not found.endswith(b"\n"):
            piece = await sockets.patiently(line, lambda: line.recv(1))
            if not piece or len(found) > greeting.LINE_MOST:
                raise greeting.Nonsense("no line")
            found += piece
        hello = greeting.hello_of(found)
        if tls.name_in(line.getpeercert()) != self._client_name:
            why = "the client certificate is missing, or somebody else's"
            await _say(line, Answer(401, answers.UNAUTHORIZED, why))
            return None
        return hello

    async def _take(self, line: ssl.SSLSocket, seal: str, lines: Lines) -> None:
        """Have a connection asked over."""
        keep_alive(line)
        await _say(line, Answer(200))
        lines.add(CopyConnection(sealed.after_tls(line) if seal else line, seal))

    async def _copy(self, line: ssl.SSLSocket, hello: Hello) -> None:
        """Take one disk, and say how it ended."""
        keep_alive(line)
        if self._is_done(hello):
            await _say(line, Answer(200))
            await _say(line, Answer(200))
            return
        lines = Lines(hello)

        def fill(inflow: Inflow) -> Termination:
            files = lines.open_files if hello.files else None
            return self._filling.ranges(
                inflow, lines.open, lines.digest, files, is_device=hello.is_device
            )

        upload = Copying("copy in ranges", fill)
        try:
            await self._uploads.begin(upload)
        except Refused as refused:
            await _say(line, _answer_for(refused))
            return
        self._began()
        self._lines = lines
        try:
            await _say(line, Answer(200))
            await self._attended(line, upload)
        finally:
            lines.close()
            if not upload.ended.done():
                await upload.stop(errors.ConnectionLost("the sender has broken off"))

    def _is_done(self, hello: Hello) -> bool:
        """Whether this copy has ended well, of which its sender has not heard."""
        known = self._lines is not None and self._lines.hello.version == hello.version
        return known and self._uploads.completed is not None

    async def _attended(self, line: ssl.SSLSocket, upload: Upload) -> None:
        """Return when an upload has ended, and its sender was told, or has left before."""
        left = asyncio.create_task(sockets.ready(line))  # it has nothing to say any more
        either: set[asyncio.Future[Any]] = {left, upload.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not upload.ended.done():
            return
        error = upload.ended.exception()
        if error is None:
            with contextlib.suppress(OSError, TimeoutError):
                await _say(line, Answer(200))
                # It hangs up when it has heard; one that has not may come once more.
                await asyncio.wait_for(left, HEARD)
            self._finish(upload.ended.result())
        else:
            left.cancel()
            await _say(line, _answer_for(answers.refusal_of(error)))


def _answer_for(refused: Refused) -> Answer:
    return Answer(refused.status, refused.reason, str(refused))


async def _say(line: ssl.SSLSocket, answer: Answer) -> None:
    data = answer.line()
    async with asyncio.timeout(HEAD):
        while data:
            sent = await sockets.patiently(line, lambda: line.send(data))  # noqa: B023 - awaited here
            data = data[sent:]
