"""A line between two processes that can be cut, or held up, after so many bytes to the server."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Passes on what comes to `port` to the port `to`, until the `with` block ends."""

    def __init__(
        self, to: int, *, cut_after: int | None = None, hold_after: int | None = None
    ) -> None:
        """Once, after so many bytes: all connections are cut, or nothing is passed on any more."""
        self.to, self._cut_after, self._hold_after = to, cut_after, hold_after
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.passed = 0
        self.cuts = self.refused = 0
        self.held = threading.Event()
        self._goes_on = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.let_go()
        self._cut()

    def let_go(self) -> None:
        """Pass on what was held up, and everything after it."""
        self._goes_on.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._joined(client)

    def _joined(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            self.refused += 1
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        for pair, counts in (((client, server), True), ((server, client), False)):
            threading.Thread(target=self._pass, args=(*pair, counts), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                if counts:
                    self._count(len(block))
                target.sendall(block)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> None:
        with self._lock:
            self.passed += size
            cut = self._cut_after is not None and self.passed > self._cut_after
            if cut:
                self._cut_after = None
                self.cuts += 1
            hold = self._hold_after is not None and self.passed > self._hold_after
        if cut:
            self._cut()
        if hold:
            self.held.set()
            self._goes_on.wait()

    def _cut(self) -> None:
        with self._lock:
            lines, self._open = self._open, set()
        for each in lines:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
