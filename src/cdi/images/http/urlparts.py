"""
What of a URL takes care: odd ones are taken apart, by urllib3, and secrets in them are hidden.

A hidden part is shown as a hash: enough to tell two of them apart.
"""

from __future__ import annotations

import hashlib
import urllib.parse

Parts = tuple[str, str, int | None, str, str, str]


def taken_apart(url: str) -> Parts:
    """Return scheme, host, port, path and query, user and password. Raises ValueError."""
    # Takes a while to load.
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

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


def shown(target: str, *, secret_path: bool) -> str:
    """Return a path and query without the values of the query, and without a secret path."""
    path, _, query = target.partition("?")
    if secret_path:
        path = f"/{hidden(path)}"
    return path + (f"?{hidden_query(query)}" if query else "")


def hidden_query(query: str) -> str:
    """Keep the names of a query's parameters and hide their values."""
    return "&".join(_hashed_parameter(parameter) for parameter in query.split("&"))


def _hashed_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:  # a bare token is a value, not a name
        name, value = "", parameter
    return f"{name}{equals}{hidden(value)}"


def hidden(value: str) -> str:
    return "~" + hashlib.sha256(value.encode()).hexdigest()[:12]
