"""
A response of HTTP/1.1, as one client needs it: its head and what that means, its body as it comes.

Over one `connection`. Elsewhere: making connections and keeping them (`pool`). Everything
that arrives is taken for hostile: heads are bounded, framing is read strictly, and what could be
read in two ways is refused. Raises BadAnswer, OSError, Stalled, Cancelled.

Here and not a library, as a range request has to cost little: urllib3 and http.client took 0.7 ms
of processor time for each, and 0.05 s to load.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from cdi.images import errors
from cdi.images.http import failures, request
from cdi.images.http.connection import Connection
from cdi.images.http.request import FIELDS, HeaderMap

_HEAD_MOST = 64 << 10
_HEAD_READ = 16 << 10  # what comes with it of the body is copied once more
_LINES_MOST = 200
MAX_TEXT = 16 * 1024  # of a refusal's body; those of object stores have a few hundred bytes

_BEGINNING: Final = b"HTTP/1."
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: (.*))?")
_FOLDED = re.compile(r"\r?\n[ \t]+")  # of old servers

_BODILESS: Final = frozenset({204, 304})

# A signed or short-lived URL that was resolved earlier answers so once it has expired.
EXPIRED = frozenset({401, 403, 404, 410})

_NUMBER = rf"[0-9]{{1,{request.MOST_DIGITS}}}"
_CONTENT_RANGE = re.compile(
    rf"\s*bytes\s+(?:({_NUMBER})-({_NUMBER})|\*)/({_NUMBER}|\*)\s*", re.IGNORECASE
)


class Head:
    """The beginning of an answer: its status and its fields."""

    __slots__ = ("fields", "minor", "phrase", "status")

    def __init__(self, text: str) -> None:
        status, _, fields = text.partition("\n")
        match = _STATUS.fullmatch(status.rstrip("\r"))
        if match is None:
            raise failures.NotHttp("the answer is not HTTP")
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
        raise failures.HeadTooLarge("the answer's head has too many lines")
    if not FIELDS.fullmatch(text):
        raise failures.BadAnswer("the answer holds a header that none may have")
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
            raise failures.HeadTooLarge("the answer's head is too long")
        more = connection.receive(_HEAD_READ)
        if not more and not data.startswith(_BEGINNING[: len(data)]):
            raise failures.NotHttp("the answer is not HTTP")
        if not more:
            kind = failures.BadAnswer if data else failures.NoAnswer
            raise kind("the connection ended before an answer was complete")
        data += more
    connection.give_back(data[end.end() :])
    return data[: end.start()].decode("latin-1")


def framing(head: Head) -> tuple[bool, int | None]:
    """Return whether a body is chunked, and its length; None if it lasts as the connection does.

    Raises BadAnswer where two readings are possible.
    """
    if head.status in _BODILESS:
        return False, 0
    coding = head.fields.get("Transfer-Encoding", "").lower().strip()
    if coding and coding != "identity":
        if coding != "chunked":
            raise failures.BadAnswer(f"the answer's transfer coding is not known: {coding[:40]!r}")
        return True, None
    lengths = {text.strip() for text in head.fields.get("Content-Length", "").split(",")}
    text = lengths.pop()
    length = request.parse_number(text)
    if lengths or (text and length is None):
        raise failures.BadAnswer("the answer's length makes no sense")
    return False, length


class Response(AbstractContextManager["Response"]):
    """One answer whose body has not been read. Closing it midway closes its connection."""

    def __init__(
        self,
        connection: Connection,
        head: Head,
        length: int | None,
        ended: Callable[[bool], None],
        shown: str,
    ) -> None:
        """The body has `length` bytes, None for all until the connection ends.

        `ended` is told once, when the connection is free, whether it may be used again. `shown` is
        what errors name.
        """
        self.status, self.phrase = head.status, head.phrase
        self.headers: Mapping[str, str] = head.fields
        self.surplus = False  # the server had sent more than it announced; known at the end
        self._connection, self._ended = connection, ended
        self._shown = shown
        self._left = length
        self._keeps = head.keeps_alive and length is not None
        self._over = self._complete = False
        self._ahead = b""  # looked at, and not read
        connection.in_body = True
        if length == 0:
            self._finish()

    def read(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none at the end. Less than `limit` is not yet the end."""
        if self._ahead:
            piece, self._ahead = self._ahead[:limit], self._ahead[limit:]
            return piece
        return self._read(limit)

    def look(self, count: int) -> bytes:
        """Return the first `count` bytes of the body, fewer if it ends before; they stay unread."""
        while len(self._ahead) < count and (piece := self._read(count - len(self._ahead))):
            self._ahead += piece
        return self._ahead[:count]

    def text(self) -> str:
        """Return the beginning of the body as text, at most MAX_TEXT bytes, as far as it came."""
        with contextlib.suppress(errors.SourceError):
            self.look(MAX_TEXT)
        return self._ahead[:MAX_TEXT].decode("utf-8", "replace")

    def _read(self, limit: int) -> bytes:
        # What has arrived, without waiting for more: bytes that are held back here are lost
        # to a process that is killed, and fetched again.
        piece = self._take(limit)
        if not piece and not self._complete:
            if fault := self._connection.fault:
                raise failures.error_for(self._shown, fault) from fault
            raise self.ended_early()
        return piece

    def _take(self, limit: int) -> bytes:
        """Return up to `limit` bytes, as they arrive; none if that is all, or broken."""
        if self._over:
            return b""
        left = self._left
        piece = self._connection.take(limit if left is None or left > limit else left)
        if not piece:
            self._complete = left is None and not self._connection.fault
            self.close()
        elif left is not None:
            self._left = left - len(piece)
            if self._left == 0:
                self._finish()
        return piece

    def _finish(self) -> None:
        self._complete = self._over = True
        self._connection.in_body = False
        self.surplus = self._connection.has_more()
        self._ended(self._keeps and not self.surplus)

    def ended_early(self) -> failures.EndedEarly:
        """The error of a body that is shorter than it should be."""
        return failures.EndedEarly(self._shown)

    def close(self) -> None:
        """Give up what is left, and the connection with it; safe to repeat."""
        if not self._over:
            self._over = True
            self._ended(False)

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Bytes [start, end) of `total`; an unsatisfied range has start and end 0."""

    start: int
    end: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Validators:
    """What the server says about the version of an object."""

    etag: str = ""
    modified: str = ""

    @property
    def strong(self) -> str:
        """What If-Range may hold: a strong ETag, else the date, else nothing."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag

    def contradict(self, other: Validators) -> bool:
        """Whether both say something, and not the same."""
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") != other.etag.removeprefix("W/")
        return bool(self.modified and other.modified and self.modified != other.modified)


def parse_content_range(value: str | None) -> ContentRange | None:
    """Read a Content-Range header; None if there is none, or none that makes sense."""
    match = _CONTENT_RANGE.fullmatch(value or "")
    if not match:
        return None
    first, last, total = match.groups()
    size = None if total == "*" else int(total)
    if first is None:
        return ContentRange(0, 0, size)
    start, end = int(first), int(last) + 1
    if start >= end or (size is not None and end > size):
        return None
    return ContentRange(start, end, size)


def parse_length(value: str | None) -> int | None:
    """Read a Content-Length header; None if it says nothing usable."""
    return request.parse_number((value or "").strip())


def validators_of(headers: Mapping[str, str]) -> Validators:
    return Validators(headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip())
