"""URLs that need care, taken apart by urllib3, which takes a while to load."""

from __future__ import annotations

import urllib.parse

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

Parts = tuple[str, str, int | None, str, str, str]


def taken_apart(url: str) -> Parts:
    """Return scheme, host, port, path and query, user and password. Raises ValueError."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError("cannot be understood") from None
    user, _, password = (parts.auth or "").partition(":")
    return (
        (parts.scheme or "").lower(),
        (parts.host or "").lower(),
        parts.port,
        parts.request_uri,
        urllib.parse.unquote(user),
        urllib.parse.unquote(password),
    )
