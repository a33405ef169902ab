"""
An NBD server that does as it is told, right or wrong, for what no real server can be made to do.

A reply to a request is a list of pieces: bytes to send, CUT (close), or STALL (nothing any more).
`reply` makes them; by default it is a well-behaved one.

    with nbdserver.Server(content, reply=nbdserver.once(nbdserver.cut)) as server:
        source = NbdSource(server.dial, "nbd:test")
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CUT, STALL = "cut", "stall"
READ, STATUS = 0, 7
Pieces = list[bytes | str]


@dataclass(frozen=True)
class Request:
    command: int
    cookie: int
    offset: int
    length: int


Reply = Callable[["Server", Request], Pieces]


def chunk(request: Request, kind: int, body: bytes, done: bool = True) -> bytes:
    return struct.pack(">IHHQI", 0x668E33EF, int(done), kind, request.cookie, len(body)) + body


def data(request: Request, offset: int, content: bytes, done: bool = True) -> bytes:
    return chunk(request, 1, struct.pack(">Q", offset) + content, done)


def error(request: Request, number: int, words: str = "", done: bool = True) -> bytes:
    text = words.encode()
    return chunk(request, 0x8001, struct.pack(">IH", number, len(text)) + text, done)


def status(request: Request, parts: Sequence[tuple[int, int]], context: int = 1) -> bytes:
    body = struct.pack(">I", context) + b"".join(struct.pack(">II", *part) for part in parts)
    return chunk(request, 5, body)


def well(server: Server, request: Request) -> Pieces:
    if request.command == STATUS:
        return [status(request, [(request.length, 0)])]
    content = server.content[request.offset : request.offset + request.length]
    if not server.structured:
        return [struct.pack(">IIQ", 0x67446698, 0, request.cookie) + content]
    return [data(request, request.offset, content)]


def once(twist: Reply) -> Reply:
    """Spoil the first reply only."""
    left = iter([twist])

    def reply(server: Server, request: Request) -> Pieces:
        return next(left, well)(server, request)

    return reply


@dataclass
class Server:
    """Each `dial` is one connection, served by a thread."""

    content: bytes
    reply: Reply = well
    structured: bool = True
    flags: int = 0x3 | 1 << 8  # has flags, read-only, several connections
    greeting: bytes = b"NBDMAGICIHAVEOPT\0\3"
    go: Sequence[tuple[int, bytes]] | None = None  # replies to NBD_OPT_GO, as (type, body)
    requests: list[Request] = field(default_factory=list)
    dialled: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def dial(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.dialled += 1
        self._threads.append(threading.Thread(target=self._serve, args=(ours,), daemon=True))
        self._threads[-1].start()
        return theirs

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            sock.sendall(self.greeting)
            _taken(sock, 4)
            while self._option(sock):
                pass
            while True:
                self._request(sock)

    def _option(self, sock: socket.socket) -> bool:
        _, option, length = struct.unpack(">8sII", _taken(sock, 16))
        _taken(sock, length)
        replies: Sequence[tuple[int, bytes]] = [(1, b"")]
        if option == 8 and not self.structured:
            replies = [(1 << 31 | 1, b"")]
        elif option == 10:
            replies = [(4, struct.pack(">I", 1) + b"base:allocation"), (1, b"")]
        elif option == 7:
            size = struct.pack(">HQH", 0, len(self.content), self.flags)
            replies = [(3, size), (1, b"")] if self.go is None else self.go
        for kind, body in replies:
            sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(body)) + body)
        return option != 7

    def _request(self, sock: socket.socket) -> None:
        _, _, command, cookie, offset, length = struct.unpack(">IHHQQI", _taken(sock, 28))
        request = Request(command, cookie, offset, length)
        if command == 2:
            raise EOFError
        self.requests.append(request)
        for piece in self.reply(self, request):
            if piece == CUT:
                raise EOFError
            if piece == STALL:
                self._over.wait()
                raise EOFError
            assert isinstance(piece, bytes)
            sock.sendall(piece)


def _taken(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = sock.recv(count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
