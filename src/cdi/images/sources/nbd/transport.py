"""
The bytes of one socket, with waits that end: on cancel, on silence, on a closed connection.

Durations are in seconds. Raises Cancelled, Stalled, ConnectionLost.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cdi.images import errors
from cdi.images.closing import Closing

# How often a waiting reader looks up: soon enough for a process that has 5 s to leave.
TICK = 0.25


@dataclass(frozen=True, slots=True)
class Watch:
    """What ends a wait for bytes."""

    cancel: threading.Event
    stall: float
    clock: Callable[[], float]


class Transport(Closing):
    """One connected socket, which it owns."""

    # Whether it vouches that bytes are those that the other end has read, by a digest of its own.
    vouches = False

    def __init__(self, sock: socket.socket, watch: Watch, shown: str) -> None:
        sock.settimeout(TICK)
        self._sock, self._watch, self.shown = sock, watch, shown
        self._receive: Callable[[memoryview], int] = sock.recv_into

    def send(self, *data: bytes | memoryview) -> None:
        """Send all of it, one after the other."""
        for each in data:
            left = memoryview(each)
            while left:
                left = left[self._patiently(self._sock.send, left) :]

    def receive(self, count: int) -> bytearray:
        """Return exactly `count` bytes; the caller has checked that it wants so many."""
        found = bytearray(count)
        self.receive_into(memoryview(found))
        return found

    def take(self, count: int) -> bytes | bytearray:
        """Return exactly `count` bytes, as they come with the least copying."""
        return self.receive(count)

    def receive_into(self, view: memoryview) -> None:
        """Fill `view`."""
        self._insist_not_cancelled()
        receive = self._receive
        while view:
            # A call of TLS brings 16 KiB at most, so that there are many: this is all of one.
            try:
                count = receive(view)
            except OSError:
                count = self._patiently(receive, view)
            if not count:
                raise errors.ConnectionLost(f"{self.shown}: the server closed the connection")
            view = view[count:]

    def close(self) -> None:
        self._sock.close()

    def _patiently(self, attempt: Callable[[memoryview], int], view: memoryview) -> int:
        """Try until something moves: each call has a silence of its own."""
        since = self._watch.clock()
        while True:
            self._insist_not_cancelled()
            try:
                return attempt(view)
            except (TimeoutError, BlockingIOError):
                if self._watch.clock() - since >= self._watch.stall:
                    raise errors.Stalled(
                        f"{self.shown}: nothing moved for {self._watch.stall:g} s"
                    ) from None
            except OSError as failure:
                raise errors.ConnectionLost(
                    f"{self.shown}: the connection broke: {failure.strerror or failure}"
                ) from failure

    def _insist_not_cancelled(self) -> None:
        if self._watch.cancel.is_set():
            raise errors.Cancelled("the transfer was asked to stop")


class Carrier(Protocol):
    """A connection that is more than a socket."""

    def transport(self, watch: Watch, shown: str) -> Transport:
        """What speaks over it, and owns it from then on."""


Dialled: TypeAlias = socket.socket | Carrier


def over(dialled: Dialled, watch: Watch, shown: str) -> Transport:
    """Return what speaks over a connection."""
    if isinstance(dialled, socket.socket):
        return Transport(dialled, watch, shown)
    return dialled.transport(watch, shown)
