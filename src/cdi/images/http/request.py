"""
A request: its headers, who may see which of them, and how it is sent.

Elsewhere: what a user wants to be sent (`options`). Values of headers are secrets: messages name
the header only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Final

from cdi.images.http.options import HttpOptions, headers_for
from cdi.images.http.urls import Route, Url

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# All fields at once, each with the end of its line: one pattern costs less than one for each.
FIELDS = re.compile(rf"(?:{_WORD}:[^\r\n\0]*\r?\n)*")
_OTHER = re.compile(r"[^\x00-\xff]")  # what HTTP cannot write
_TARGET = re.compile(r"[!-~]+")
_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})


# No object has more bytes than 63 bits count, and Python refuses to read numbers without end.
MOST_DIGITS = 18


class HeaderMap(MutableMapping[str, str]):
    """Fields by name. Several of one name are one value, joined by commas, as HTTP has it."""

    __slots__ = ("_held",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._held: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Set a field, or append to what it has already."""
        key = name.lower()
        before = self._held.get(key)
        # The dates of cookies hold commas, so that these are one a line (RFC 6265, 3).
        mark = "\n" if key == "set-cookie" else ", "
        self._held[key] = (name, value if before is None else f"{before[1]}{mark}{value}")

    def __getitem__(self, name: str) -> str:
        return self._held[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        self._held[name.lower()] = (name, value)

    def __delitem__(self, name: str) -> None:
        del self._held[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._held


def parse_number(text: str) -> int | None:
    """Read a number of a header, None if it is none that anybody could mean."""
    sane = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if sane else None


class RequestHeaders:
    """The headers of every request to one source, depending on whom it goes to."""

    def __init__(self, origin: Url, options: HttpOptions) -> None:
        self._private: list[tuple[str, str]] = []
        if origin.user or options.user or options.headers or options.secret_headers:
            self._private = headers_for(origin, options)
        self._user_agent = options.user_agent

    def for_route(
        self,
        route: Route,
        fields: Iterable[tuple[str, str]],
        service: Mapping[str, str] = MappingProxyType({}),
    ) -> HeaderMap:
        """Headers for one request. Another origin gets nothing of what the user gave.

        Those that the `service` wants replace all others of their names.
        """
        fields = tuple(fields)
        headers = HeaderMap([("Accept", "*/*"), ("Accept-Encoding", "identity")])
        private = self._private if route.trusted else []
        replaced = {name.lower() for name, _ in [*private, *fields]}
        if "accept" in replaced:
            del headers["Accept"]
        if "user-agent" not in replaced:
            headers["User-Agent"] = self._user_agent
        for name, value in [*private, *fields]:
            headers.add(name, value)
        for name, value in service.items():
            headers[name] = value
        return headers


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
    if not FIELDS.fullmatch(head) or head.count("\n") != len(lines) or _OTHER.search(head):
        raise ValueError(f"{_wrong_one(lines)} holds characters that none may have")
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def _wrong_one(lines: Iterable[str]) -> str:
    """Name the header that is none, whose value is not for anybody to see."""
    for line in lines:
        if not FIELDS.fullmatch(line) or line.count("\n") != 1 or _OTHER.search(line):
            name = line.partition(":")[0]
            return f"the header {name}" if re.fullmatch(_WORD, name) else "a header's name"
    return "a header"
