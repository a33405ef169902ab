"""
An HTTP/1.1 server that misbehaves on request.

A resource is a function from `Request` to `Reply`; the reply says what the server does, byte by
byte. `Blob` is a well-behaved one, and takes a `twist` that spoils its replies: a fault is an
ordinary function. Everything is recorded in `Server.requests` and `Server.served`.

    with httpd.Server() as server:
        url = server.put("/disk", httpd.Blob(data, twist=httpd.cut_after(1000)))
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import http
import itertools
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def span(self) -> tuple[int, int | None] | None:
        """The range asked for as [start, end), end None where open."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.header("range") or "")
        if not match:
            return None
        return int(match[1]), int(match[2]) + 1 if match[2] else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. A header given as None is left out."""

    status: int = 200
    body: bytes | memoryview = b""
    headers: dict[str, str | None] = field(default_factory=dict)
    chunked: bool = False
    cut_after: int | None = None  # bytes of the body, then the connection ends
    reset: bool = False  # ... and not in good order
    stall_after: int | None = None  # bytes of the body, then silence until the server stops
    before_headers: str = ""  # "close", "reset" or "stall" instead of an answer
    rate: int | None = None  # bytes a second on this connection
    raw: bytes | None = None  # sent instead of everything else
    drip: float | None = None  # seconds between two bytes of `raw`, over and over


Resource = Callable[[Request], Reply]
Twist = Callable[[Request, Reply], Reply]


@dataclass(slots=True)
class Blob:
    """An object served well, or spoilt by `twist`."""

    body: bytes
    etag: str | None = '"v1"'
    modified: str | None = "Sat, 01 Mar 2025 10:00:00 GMT"
    ranges: bool = True
    head: bool = False
    twist: Twist | None = None

    def __call__(self, request: Request) -> Reply:
        reply = self._well(request)
        return self.twist(request, reply) if self.twist else reply

    def _well(self, request: Request) -> Reply:
        if request.method == "HEAD" and not self.head:
            return Reply(405)
        fields: dict[str, str | None] = {"ETag": self.etag, "Last-Modified": self.modified}
        span = request.span if self.ranges else None
        unchanged = request.header("if-range")
        if span is None or (unchanged and unchanged not in {self.etag, self.modified}):
            return Reply(200, memoryview(self.body), fields)
        start, end = span[0], min(span[1] or len(self.body), len(self.body))
        if start >= len(self.body):
            return Reply(416, b"", {"Content-Range": f"bytes */{len(self.body)}"})
        fields["Content-Range"] = f"bytes {start}-{end - 1}/{len(self.body)}"
        return Reply(206, memoryview(self.body)[start:end], fields)


def changed(**changes: Any) -> Twist:
    """Make every reply differ in some fields."""
    return lambda _request, reply: replace(reply, **changes)


def with_headers(**headers: str | None) -> Twist:
    """Set headers on every reply; underscores stand for dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request, reply: replace(reply, headers={**reply.headers, **given})


def cut_after(count: int, reset: bool = False) -> Twist:
    return changed(cut_after=count, reset=reset)


def first(count: int, twist: Twist) -> Twist:
    """Spoil the first `count` replies only."""
    return in_turn([twist] * count)


def after(count: int, twist: Twist) -> Twist:
    """Spoil all but the first `count` replies."""
    left = iter(range(count))
    return lambda request, reply: reply if next(left, None) is not None else twist(request, reply)


def in_turn(twists: Iterable[Twist]) -> Twist:
    """Spoil one reply after the other, and none after the last twist."""
    turns = iter(twists)

    def twist(request: Request, reply: Reply) -> Reply:
        turn = next(turns, None)
        return turn(request, reply) if turn else reply

    return twist


def status(code: int, **headers: str) -> Twist:
    """Answer with another status and an empty body."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request, _reply: Reply(code, b"", dict(given))


def redirect(location: str, code: int = 302) -> Resource:
    return lambda _request: Reply(code, b"", {"Location": location})


def guarded(user: str, password: str, resource: Resource) -> Resource:
    """Serve to those who show these credentials."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def guard(request: Request) -> Reply:
        if request.header("authorization") == wanted:
            return resource(request)
        return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="test"'})

    return guard


class Server:
    """Serves on a free port of loopback, or of the address `bind`, one thread a connection, until
    the `with` block ends.

    `tls` is a server-side context, see `authority`. `host` is what its URLs name. A `port` that
    was free a moment ago can be asked for.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        bind: str = "127.0.0.1",
    ) -> None:
        self.resources: dict[str, Resource] = {}
        self.requests: list[Request] = []
        self.served = 0  # bytes of bodies
        self.connections = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((bind, port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def put(self, path: str, resource: Resource) -> str:
        """Serve `resource` at `path` and return its URL."""
        self.resources[path] = resource
        return f"{self.origin}{path}"

    def requests_for(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.target.partition("?")[0] == path]

    def __enter__(self) -> Server:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for thread in self._threads:
            thread.join()

    def wait_served(self, count: int, seconds: float = 60.0) -> None:
        """Return once `count` bytes of bodies have been sent."""
        with self._progress:
            assert self._progress.wait_for(lambda: self.served >= count, seconds), self.served

    def drop_connections(self) -> None:
        """End every connection now, idle ones too."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open.add(connection)
        plain = connection
        # Head and body are sent apart; waiting for an acknowledgement in between costs 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection.makefile("rb") as reader:
                while (request := read_request(reader)) and not self._stopped.is_set():
                    with self._lock:
                        self.requests.append(request)
                    goes_on = self._answer(connection, request)
                    if not goes_on or request.header("connection") == "close":
                        return
        except OSError:
            return
        finally:
            with self._lock:
                self._open.discard(plain)
            connection.close()

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; return whether the connection goes on."""
        resource = self.resources.get(request.target.partition("?")[0])
        reply = resource(request) if resource else Reply(404)
        if reply.before_headers:
            return self._end(connection, reply.before_headers)
        if reply.raw is not None and reply.drip:
            for number in itertools.count():
                if self._stopped.wait(reply.drip):
                    return False
                at = number % len(reply.raw)
                connection.sendall(reply.raw[at : at + 1])
        if reply.raw is not None:
            connection.sendall(reply.raw)
            return False
        connection.sendall(head_of(reply))
        if request.method == "HEAD":
            return True
        return self._send_body(connection, reply)

    def _send_body(self, connection: socket.socket, reply: Reply) -> bool:
        body = memoryview(reply.body)
        limits = [at for at in (reply.cut_after, reply.stall_after) if at is not None]
        stop = min([len(body), *limits])
        for start in range(0, stop, CHUNK):
            piece = body[start : min(start + CHUNK, stop)]
            if reply.rate:
                time.sleep(len(piece) / reply.rate)
            if reply.chunked:
                connection.sendall(b"%x\r\n" % len(piece))
            connection.sendall(piece)
            if reply.chunked:
                connection.sendall(b"\r\n")
            with self._progress:
                self.served += len(piece)
                self._progress.notify_all()
        if reply.stall_after is not None and stop == reply.stall_after:
            return self._end(connection, "stall")
        if reply.cut_after is not None and stop == reply.cut_after:
            return self._end(connection, "reset" if reply.reset else "close")
        if reply.chunked:
            connection.sendall(b"0\r\n\r\n")
        goes_on = (reply.headers.get("Connection") or "").lower() != "close"
        if not goes_on and isinstance(connection, ssl.SSLSocket):
            connection.unwrap()  # in good order: the client hears that this is the end
        return goes_on

    def _end(self, connection: socket.socket, how: str) -> bool:
        if how == "stall":
            self._stopped.wait()
        if how == "reset":
            # Closing with a linger time of zero sends RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False


def read_request(reader: BinaryIO) -> Request | None:
    """Read one request; None at the end of the connection, or if it is one of TLS."""
    first = reader.read(1)
    if first == b"\x16":
        return None
    first += reader.readline(65536)
    words = first.decode("latin-1").split()
    if len(words) != 3:
        return None
    headers = []
    while line := reader.readline(65536).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers.append((name.strip().lower(), value.strip()))
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Request(words[0], words[1], tuple(headers), reader.read(length))


def head_of(reply: Reply) -> bytes:
    """Return the status line and headers of a reply, with the usual ones filled in."""
    fields: dict[str, str | None] = {"Date": email.utils.formatdate(usegmt=True)}
    if reply.chunked:
        fields["Transfer-Encoding"] = "chunked"
    else:
        fields["Content-Length"] = str(len(reply.body))
    fields |= reply.headers
    try:
        phrase = http.HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unheard Of"
    lines = [f"HTTP/1.1 {reply.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
