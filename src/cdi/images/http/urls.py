"""
URLs of sources: taken apart, compared, and made fit to be shown.

Connections go by what is parsed here: two parsers that disagree about where the host ends would
let a crafted redirect carry credentials away. URLs in which nothing needs care are read by one
pattern; all others by urllib3, which is loaded for them only. Raises InvalidRequest.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from dataclasses import dataclass, field, replace
from typing import Any

from cdi.images import errors

PORTS = {"http": 80, "https": 443}

# A URL that no normalization changes: no credentials, escapes, dot segments or odd characters.
_PLAIN = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([1-9][0-9]{0,3}))?"
    r"((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)"
)


@dataclass(frozen=True, slots=True)
class Url:
    """An http(s) URL without its credentials and its fragment, and these credentials."""

    scheme: str
    host: str  # lower case; IPv6 in brackets
    port: int
    target: str = field(repr=False)  # path and query as requested
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    secret_path: bool = False  # whoever knows the path may read: it is not to be shown either

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        """What is asked for. May hold secrets in its query: not to be shown."""
        return f"{self._base}{self.target}"

    @property
    def printable(self) -> str:
        """The URL as it may be stored and logged: query values and secret paths are hashed."""
        path, _, query = self.target.partition("?")
        if self.secret_path:
            path = f"/{_hash(path)}"
        return f"{self._base}{path}" + (f"?{_hashed(query)}" if query else "")

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them: a usual port is left out."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def _base(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes, and whether our credentials may go along.

    Trust is lost with the first hop to another origin and never comes back on the same way.
    """

    location: Url
    trusted: bool = True


def parse_url(url: str, *, secret_path: bool = False) -> Url:
    """Take an http(s) URL apart. Messages do not repeat it: it may hold a password."""
    try:
        return replace(parsed(url), secret_path=secret_path)
    except ValueError as wrong:
        raise errors.InvalidRequest(
            f"the source's URL {wrong}; write http(s)://host/path"
        ) from None


def parsed(url: str) -> Url:
    """Take a URL apart; raises ValueError, whose words follow "the URL"."""
    url = url.strip(" ").replace(" ", "%20")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise ValueError("holds control characters")
    if plain := _PLAIN.fullmatch(url):
        scheme, host, port, target = plain.groups()
        return Url(scheme, host, int(port or PORTS[scheme]), target or "/")
    parts = _taken_apart(url)
    scheme = (parts.scheme or "").lower()
    if scheme not in PORTS:
        raise ValueError("is neither http nor https")
    if not parts.host:
        raise ValueError("names no host")
    user, _, password = (parts.auth or "").partition(":")
    return Url(
        scheme=scheme,
        host=parts.host.lower(),
        port=PORTS[scheme] if parts.port is None else parts.port,
        target=parts.request_uri,
        user=urllib.parse.unquote(user),
        password=urllib.parse.unquote(password),
    )


def _taken_apart(url: str) -> Any:
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        return parse_url(url)
    except LocationParseError:
        raise ValueError("cannot be understood") from None


def _hashed(query: str) -> str:
    """Keep the names of a query's parameters and hide their values."""
    return "&".join(_hashed_parameter(parameter) for parameter in query.split("&"))


def _hashed_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:  # a bare token is a value, not a name
        name, value = "", parameter
    return f"{name}{equals}{_hash(value)}"


def _hash(value: str) -> str:
    return "~" + hashlib.sha256(value.encode()).hexdigest()[:12]
