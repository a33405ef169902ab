"""
HTTP/1.1 as one client needs it: a request written, an answer's head read, its body as it comes.

Over one `connection`. Elsewhere: connecting (`dial`) and keeping connections (`pool`). Everything
that arrives is taken for hostile: heads are bounded, framing is read strictly, and what could be
read in two ways is refused. Raises BadAnswer, OSError, Stalled, Cancelled.

Here and not a library, as a range request has to cost little: urllib3 and http.client took 0.7 ms
of processor time for each, and 0.05 s to load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from cdi.images.http.connection import Connection
from cdi.images.http.headermap import HeaderMap

_HEAD_MOST = 64 << 10
_HEAD_READ = 16 << 10  # what comes with it of the body is copied once more
_LINES_MOST = 200
_CHUNK_LINE_MOST = 4096

_BEGINNING: Final = b"HTTP/1."
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: (.*))?")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# All fields at once, each with the end of its line: one pattern costs less than one for each.
_FIELDS = re.compile(rf"(?:{_WORD}:[^\r\n\0]*\r?\n)*")
_FOLDED = re.compile(r"\r?\n[ \t]+")  # of old servers
_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,15}")
_TARGET = re.compile(r"[!-~]+")

_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})
_BODILESS: Final = frozenset({204, 304})


class BadAnswer(OSError):
    """What came is no HTTP, or none that has only one meaning."""


class NotHttp(BadAnswer):
    """What came is something else than HTTP."""


class HeadTooLarge(BadAnswer):
    """The head of an answer is larger than any honest one."""


def request_bytes(
    method: str, target: str, host: str, fields: Mapping[str, str], body: bytes | None
) -> bytes:
    """Return a request as it is sent. Raises ValueError for what would be another request."""
    if not _TARGET.fullmatch(target):
        raise ValueError("a request's target holds characters that none may have")
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    if "host" not in fields:
        lines.insert(0, f"Host: {host}\r\n")
    if body is None and method in _WITH_BODY:
        body = b""
    if body is not None:
        lines.append(f"Content-Length: {len(body)}\r\n")
    head = "".join(lines)
    if not _FIELDS.fullmatch(head) or head.count("\n") != len(lines):
        raise ValueError("a header holds characters that none may have")
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


class Head:
    """The beginning of an answer: its status and its fields."""

    __slots__ = ("fields", "minor", "phrase", "status")

    def __init__(self, text: str) -> None:
        status, _, fields = text.partition("\n")
        match = _STATUS.fullmatch(status.rstrip("\r"))
        if match is None:
            raise NotHttp("the answer is not HTTP")
        self.minor, self.status = int(match[1]), int(match[2])
        self.phrase = (match[3] or "").strip()
        self.fields = _parsed_fields(fields)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may be used again afterwards."""
        wishes = self.fields.get("Connection", "").lower()
        return "close" not in wishes if self.minor else "keep-alive" in wishes


def _parsed_fields(text: str) -> HeaderMap:
    text = _FOLDED.sub(" ", text) + "\n"
    if text == "\n":
        return HeaderMap()
    if text.count("\n") > _LINES_MOST:
        raise HeadTooLarge("the answer's head has too many lines")
    if not _FIELDS.fullmatch(text):
        raise BadAnswer("the answer holds a header that none may have")
    pairs = (line.partition(":") for line in text[:-1].split("\n"))
    return HeaderMap((name, value.strip(" \t\r")) for name, _, value in pairs)


def read_head(connection: Connection) -> Head:
    """Read the head of an answer, passing over interim ones."""
    connection.expect_head()
    while True:
        head = Head(_head_text(connection))
        if head.status >= 200:
            return head


def _head_text(connection: Connection) -> str:
    data = connection.take(_HEAD_READ)
    while (end := _END_OF_HEAD.search(data)) is None:
        if len(data) > _HEAD_MOST:
            raise HeadTooLarge("the answer's head is too long")
        more = connection.receive(_HEAD_READ)
        if not more and not data.startswith(_BEGINNING[: len(data)]):
            raise NotHttp("the answer is not HTTP")
        if not more:
            raise BadAnswer("the connection ended before an answer was complete")
        data += more
    connection.give_back(data[end.end() :])
    return data[: end.start()].decode("latin-1")


class Body:
    """What follows a head. `ended(reusable)` is called once, when the connection is free again."""

    def __init__(
        self, connection: Connection, head: Head, *, none: bool, ended: Callable[[bool], None]
    ) -> None:
        self._connection = connection
        self._ended = ended
        self._keeps = head.keeps_alive
        self._chunked, self._left = framing(head)
        self._between = False  # at the end of a chunk's data
        self._over = False
        self.complete = False
        self.surplus = False
        connection.in_body = True
        if none or self._left == 0:
            self._finish()
        elif self._chunked:
            self._left = 0

    @property
    def fault(self) -> Exception | None:
        """What broke the connection, once all that came before has been read."""
        return None if self.complete else self._connection.fault

    def read(self, limit: int) -> bytes:
        """Return up to `limit` bytes, as they arrive. None: `complete`, or broken."""
        if self._over:
            return b""
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        left = self._left
        piece = self._connection.take(limit if left is None or left > limit else left)
        if not piece:
            self.complete = left is None and self.fault is None
            self.close()
        elif left is not None:
            self._left = left - len(piece)
            if self._left == 0 and not self._chunked:
                self._finish()
        return piece

    def close(self) -> None:
        """Give up what is left, and the connection with it; safe to repeat."""
        if not self._over:
            self._over = True
            self._ended(False)

    def _finish(self) -> None:
        self.complete = self._over = True
        self._connection.in_body = False
        self.surplus = self._connection.has_more()
        self._ended(self._keeps and self._left is not None and not self.surplus)

    def _next_chunk(self) -> bool:
        """Go to the next chunk; False at the end of the body, however it ended."""
        if self._between and self._chunk_line() != b"":
            return self._broken()
        size = (self._chunk_line() or b"").partition(b";")[0].strip()
        if not _CHUNK.fullmatch(size):
            return self._broken()
        self._left, self._between = int(size, 16), True
        if self._left:
            return True
        for _ in range(_LINES_MOST):  # trailers
            trailer = self._chunk_line()
            if trailer == b"":
                self._finish()
                return False
            if trailer is None:
                break
        return self._broken()

    def _broken(self) -> bool:
        self.close()
        return False

    def _chunk_line(self) -> bytes | None:
        data = b""
        while b"\n" not in data:
            more = self._connection.take(_CHUNK_LINE_MOST) if len(data) < _CHUNK_LINE_MOST else b""
            if not more:
                return None
            data += more
        found, _, rest = data.partition(b"\n")
        self._connection.give_back(rest)
        return found.rstrip(b"\r")


def framing(head: Head) -> tuple[bool, int | None]:
    """Return whether a body is chunked, and its length; None if it lasts as the connection does.

    Raises BadAnswer where two readings are possible.
    """
    if head.status in _BODILESS:
        return False, 0
    coding = head.fields.get("Transfer-Encoding", "").lower().strip()
    if coding and coding != "identity":
        if coding != "chunked":
            raise BadAnswer(f"the answer's transfer coding is not known: {coding[:40]!r}")
        return True, None
    lengths = {text.strip() for text in head.fields.get("Content-Length", "").split(",")}
    text = lengths.pop()
    if lengths or (text and not (text.isascii() and text.isdigit())):
        raise BadAnswer("the answer's length makes no sense")
    return False, int(text) if text else None
