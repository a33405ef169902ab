"""
The receiving side of a connection: what urllib3 reads from.

Here: giving up on silence, stopping when cancelled, and keeping the bytes that came before a
break. `http.client` reads through a buffer that throws these away when a read fails, up to a
whole piece a time, and they would have to be fetched twice. So a break in a body looks like its
end, and `fault` says what it was. Elsewhere: what a break means (`session`).

Durations are in seconds.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import urllib3
import urllib3.connection
import urllib3.util

from cdi.images import errors

# How often a waiting reader looks up: soon enough for a process that has 5 s to leave.
TICK = 0.25


@dataclass(frozen=True, slots=True)
class Watch:
    """What ends a wait for bytes."""

    cancel: threading.Event
    stall: float
    clock: Callable[[], float]


class Line(io.RawIOBase):
    """The bytes of one socket, whose timeout is a tick."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        # Keeps the socket open for an answer whose connection was told to close after it.
        self._hold = sock.makefile("rb", buffering=0)
        self._watch = watch
        self._began = watch.clock()
        self.in_body = False  # a break in the headers has nothing to keep
        self.muted = False  # nothing more is wanted from the network
        self.fault: Exception | None = None
        _acknowledge_at_once(sock)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.fault or self.muted:
            return 0
        # Headers are small: all of them have to be there in the time that a body has for a byte,
        # or a server that sends one after the other holds us for as long as it likes.
        since = self._watch.clock() if self.in_body else self._began
        while True:
            if self._watch.cancel.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
            if not self.in_body and self._watch.clock() - since >= 2 * self._watch.stall:
                return self._broken(errors.Stalled("the headers of the answer took too long"))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if self._watch.clock() - since >= self._watch.stall:
                    silence = f"no byte arrived for {self._watch.stall:g} s"
                    return self._broken(errors.Stalled(silence))
            except OSError as failure:
                return self._broken(failure)

    def has_more(self) -> bool:
        """Whether bytes have arrived that nobody has read. TLS does not tell."""
        if isinstance(self._sock, ssl.SSLSocket) or not isinstance(self._sock, socket.socket):
            return False
        try:
            # A socket with a timeout waits for it, whatever the flags say: look first.
            ready = urllib3.util.wait_for_read(self._sock, timeout=0)
            return ready and bool(self._sock.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        self._hold.close()
        super().close()

    def _broken(self, failure: Exception) -> int:
        if not self.in_body:
            raise failure
        self.fault = failure
        return 0


def _acknowledge_at_once(sock: socket.socket) -> None:
    """Do not let the end of a small answer wait for our acknowledgement of its beginning.

    A server that fills its packets (nginx with tcp_nopush, as Debian ships it) holds the last one
    back until then, and Linux acknowledges after 40 ms: ranges of 64 KiB took 44 ms instead of 0.8.
    """
    quickly = getattr(socket, "TCP_QUICKACK", None)
    if quickly is not None and isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, quickly, 1)


class Buffered(io.BufferedReader):
    """A buffer that notes, when it is closed, whether something is left in it."""

    surplus = False

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._line = line

    def close(self) -> None:
        if not self.closed:
            self._line.muted = True
            self.surplus = bool(self.peek(1)) or self._line.has_more()
        super().close()


class Reply(http.client.HTTPResponse):
    """An answer whose body is read through a `Line`."""

    def __init__(self, sock: socket.socket, *args: Any, watch: Watch, **kwargs: Any) -> None:
        self.line = Line(sock, watch)
        self.buffered = Buffered(self.line)
        super().__init__(cast(socket.socket, _Readable(self.buffered)), *args, **kwargs)

    def begin(self) -> None:
        super().begin()
        self.line.in_body = True


class _Readable:
    """All that an answer wants of a socket: something to read from."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:
        return self._reader


class Watched(http.client.HTTPConnection):
    """A connection that reads its answers as `Reply` and remembers the last one."""

    watch: Watch
    reply: Reply

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_class = self._reply_from  # type: ignore[assignment]  # it is only called

    def _reply_from(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Reply:
        self.reply = Reply(sock, *args, watch=self.watch, **kwargs)
        return self.reply


def watched_pools(given: Watch) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Pool classes by scheme, for a pool manager, whose connections heed `given`."""

    class Plain(Watched, urllib3.connection.HTTPConnection):
        watch = given

    class Secure(Watched, urllib3.connection.HTTPSConnection):
        watch = given

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
