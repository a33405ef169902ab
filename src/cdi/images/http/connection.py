"""
One connection's bytes: waits that end on silence and on cancel.

Here: TCP, what of its bytes nobody has taken yet, and what broke it. Elsewhere: TLS and proxies
(`dialer`), what is said over it (`request`, `response`), what a break means (`failures`).

What came before a break in a body is kept, as it would have to be fetched twice: such a break
looks like the end of the connection, and `fault` says what it was. Durations are in seconds.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cdi.images import errors
from cdi.images.http import failures

# How often a waiting reader looks up: soon enough for a process that has 5 s to leave.
TICK: Final = 0.25

# What a read that waits in the kernel for no longer than a tick ends with, and one of `ssl`.
_NOT_YET = (BlockingIOError, TimeoutError)
_TICK_OF_KERNEL = struct.pack("ll", int(TICK), int(TICK % 1 * 1_000_000))  # a timeval
_QUICKLY: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Socket(Protocol):
    """What is used of a socket; those of TLS within TLS have little more."""

    def recv(self, count: int, /) -> bytes: ...
    def send(self, data: memoryview, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def settimeout(self, value: float | None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What ends a wait for bytes."""

    cancel: threading.Event
    stall: float
    clock: Callable[[], float]


class Connection:
    """An open connection. One thread at a time; any thread may close."""

    def __init__(self, sock: Socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch
        self._plain = sock if type(sock) is socket.socket else None  # TCP alone
        self._rest = b""  # received and not taken
        self.in_body = False  # a break elsewhere has nothing to keep
        self.fault: Exception | None = None
        self._head_by = math.inf
        self._set_tick()

    def _set_tick(self) -> None:
        self._sock.settimeout(None if self._plain else TICK)
        if self._plain:
            # Let the kernel time the waits: with a timeout of its own, Python looks whether there
            # is something before each read.
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TICK_OF_KERNEL)
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TICK_OF_KERNEL)

    def take(self, limit: int) -> bytes:
        """Return what has arrived, up to `limit` bytes, waiting for the first; none at the end."""
        if rest := self._rest:
            piece, self._rest = rest[:limit], rest[limit:]
            return piece
        return self.receive(limit)

    def give_back(self, data: bytes) -> None:
        """Take these bytes again before any other."""
        self._rest = data + self._rest

    def receive(self, limit: int) -> bytes:
        """Return new bytes, whatever is left of older ones."""
        since = self._watch.clock()
        while not self.fault:
            self._insist_on_going_on()
            if not self.in_body and self._watch.clock() > self._head_by:
                raise errors.Stalled("the headers of the answer took too long")
            try:
                try:
                    return self._sock.recv(limit)
                except _NOT_YET:
                    self._insist_on_going_on(since)
            except (OSError, errors.Stalled) as failure:
                if not self.in_body:
                    raise
                self.fault = failure
        return b""

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError, Stalled, Cancelled."""
        view, since = memoryview(data), self._watch.clock()
        while view:
            try:
                view = view[self._sock.send(view) :]
            except _NOT_YET:
                self._insist_on_going_on(since)

    def expect_head(self) -> None:
        """An answer is to come, whose head is small: all of it has to be there in good time.

        Or else a server that sends one byte after the other holds us for as long as it likes.
        """
        self._head_by = self._watch.clock() + 2 * self._watch.stall
        self._acknowledge_at_once()

    def _acknowledge_at_once(self) -> None:
        """Do not let the end of the next answer wait for our acknowledgement of its beginning.

        A server that fills its packets (nginx with tcp_nopush, as Debian ships it) holds the last
        one back until then, and Linux acknowledges after 40 ms: ranges of 64 KiB took 44 ms
        instead of 0.8.
        """
        if _QUICKLY is not None and isinstance(self._sock, socket.socket):
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKLY, 1)

    def quiet(self) -> bool:
        """Whether nothing waits to be read, neither bytes nor the end."""
        return not self._rest and not self._ready()

    def has_more(self) -> bool:
        """Whether bytes have arrived that nobody has taken. TLS does not tell."""
        if self._rest:
            return True
        if not self._plain or not self._ready():
            return False
        try:
            return bool(self._plain.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def close(self) -> None:
        """Let go of it; safe to repeat."""
        with contextlib.suppress(OSError):
            self._sock.close()

    def _ready(self) -> bool:
        try:
            poll = select.poll()
            poll.register(self._sock.fileno(), select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True  # closed by another thread

    def _insist_on_going_on(self, since: float | None = None) -> None:
        """Raise Cancelled; Stalled where nothing has come `since` then for too long."""
        if self._watch.cancel.is_set():
            raise errors.Cancelled("the transfer was asked to stop")
        if since is not None and self._watch.clock() - since >= self._watch.stall:
            raise errors.Stalled(f"no byte arrived for {self._watch.stall:g} s")


def connected(host: str, port: int, timeout: float) -> socket.socket:
    """Return a TCP connection to the first address of `host` that takes one.

    Raises Unreachable, UnknownHost, ImpossibleHost.
    """
    try:
        name = host.strip("[]").encode("idna").decode()
        sock = socket.create_connection((name, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except UnicodeError as failure:
        raise failures.ImpossibleHost(f"{host} cannot be a host's name") from failure
    except socket.gaierror as failure:
        raise failures.UnknownHost(f"{host} is not known") from failure
    except OSError as failure:
        raise failures.Unreachable(f"{host} cannot be reached") from failure
    return sock
