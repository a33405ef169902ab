"""
URLs of sources: taken apart, compared, and made fit to be shown.

Connections go by what is parsed here: two parsers that disagree about where the host ends would
let a crafted redirect carry credentials away. URLs in which nothing needs care are read by one
pattern; all others by urllib3 (`urlparts`). Raises InvalidRequest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from cdi.images import errors

PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535

# A URL that no normalization changes: no credentials, escapes, dot segments or odd characters.
_PLAIN = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([1-9][0-9]{0,4}))?"
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
        if not self.secret_path and "?" not in self.target:
            return self.url
        from cdi.images.http import urlparts

        return f"{self._base}{urlparts.shown(self.target, secret_path=self.secret_path)}"

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
        said = f"the source's URL {wrong}; write http(s)://host/path"
        raise errors.InvalidRequest(said) from None


def parsed(url: str) -> Url:
    """Take a URL apart; raises ValueError, whose words follow "the URL"."""
    url = url.strip(" ").replace(" ", "%20")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise ValueError("holds control characters")
    if plain := _PLAIN.fullmatch(url):
        scheme, host, digits, target = plain.groups()
        if (port := int(digits or PORTS[scheme])) <= _LAST_PORT:
            return Url(scheme, host, port, target or "/")
    from cdi.images.http import urlparts

    scheme, host, given, target, user, password = urlparts.taken_apart(url)
    if scheme not in PORTS:
        raise ValueError("is neither http nor https")
    if not host:
        raise ValueError("names no host")
    return Url(scheme, host, PORTS[scheme] if given is None else given, target, user, password)
