"""
A cap on every TCP connection, in front of a server.

nginx's own limit counts anew with each request, and lets the first second of each pass at once:
short ranges would get around it. Here a connection is a pipe of fixed width, whatever goes over
it, with no more than `BURST` bytes at once.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType

BURST = 64 << 10


class Throttle:
    """Forwards connections to a port on loopback, each at `rate` bytes a second."""

    def __init__(self, port: int, rate: int) -> None:
        self._behind, self._rate = port, rate
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()

    def __enter__(self) -> Throttle:
        threading.Thread(target=self._accept, name="throttle", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                front, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(front,), daemon=True).start()

    def _connect(self, front: socket.socket) -> None:
        with front, socket.create_connection(("127.0.0.1", self._behind)) as back:
            # Little may wait in the kernel, or a closed connection would have been paid for it.
            back.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BURST)
            asking = threading.Thread(target=_pump, args=(front, back), daemon=True)
            asking.start()
            self._pump_capped(back, front)
            for end in (front, back):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            asking.join()

    def _pump_capped(self, source: socket.socket, sink: socket.socket) -> None:
        free_at = 0.0  # when the next bytes may go
        buffer = memoryview(bytearray(BURST))
        with contextlib.suppress(OSError):
            while count := source.recv_into(buffer):
                now = time.monotonic()
                free_at = max(free_at, now)
                if self._ended.wait(free_at - now):
                    return
                free_at += count / self._rate
                sink.sendall(buffer[:count])


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(BURST):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
