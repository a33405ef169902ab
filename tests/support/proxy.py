"""
A small HTTP proxy: plain requests with absolute URLs, and CONNECT.

Names of hosts are looked up in `hosts` (name -> loopback port), so that a test can use names
that exist nowhere; with real loopback names no client would ask a proxy. Every request line and
its headers are recorded in `requests`.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import urllib.parse

from support import httpd


class Proxy:
    """Runs on a free loopback port until the `with` block ends."""

    def __init__(
        self,
        hosts: dict[str, int],
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[httpd.Request] = []
        self._hosts = hosts
        self._tls = tls
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._wanted = f"Basic {token}" if user else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        self._remember(client)
        with contextlib.suppress(OSError), client:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, client.makefile("rb") as reader:
                self._answer(client, httpd.read_request(reader))

    def _answer(self, client: socket.socket, request: httpd.Request | None) -> None:
        if request is None:
            return
        self.requests.append(request)
        if self._wanted and request.header("proxy-authorization") != self._wanted:
            client.sendall(httpd.head_of(httpd.Reply(407)))
            return
        self._forward(client, request)

    def _forward(self, client: socket.socket, request: httpd.Request) -> None:
        parts = urllib.parse.urlsplit(
            f"//{request.target}" if request.method == "CONNECT" else request.target
        )
        port = self._hosts.get(parts.hostname or "")
        if port is None:
            client.sendall(httpd.head_of(httpd.Reply(502)))
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            self._remember(server)
            if request.method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            else:
                server.sendall(_relayed(request, parts))
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    def _remember(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)


def _relayed(request: httpd.Request, parts: urllib.parse.SplitResult) -> bytes:
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    kept = [f"{name}: {value}" for name, value in request.headers if not name.startswith("proxy-")]
    # One request a connection: the next one may be for another host.
    kept = [line for line in kept if not line.startswith("connection:")] + ["connection: close"]
    head = "\r\n".join([f"{request.method} {target} HTTP/1.1", *kept, "", ""])
    return head.encode("latin-1") + request.body


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
