"""
The headers that a user wants a source's origin to see.

Their values are secrets: messages and log lines name the header only. Raises InvalidRequest.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.http.urls import Url

log = logging.getLogger(__name__)

# They decide which bytes come back and how; one that a user set would corrupt the disk.
OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "if-range",
        "range",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def headers_for(origin: Url, options: HttpOptions) -> list[tuple[str, str]]:
    """Return all of them, those of basic authentication too."""
    own = parse_lines(options.headers + options.secret_headers)
    return own + _basic(origin, options, {name.lower() for name, _ in own})


def parse_lines(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Split header lines `Name: value`; lines without a colon are dropped, as ever."""
    return [pair for line in lines if (pair := _parse_line(line))]


def _parse_line(line: str) -> tuple[str, str] | None:
    # A header kept in a file ends with the newline of its editor.
    name, colon, value = line.rstrip("\r\n").partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon:
        log.warning("An extra header without a colon is ignored")
        return None
    if not TOKEN.fullmatch(name):
        raise errors.InvalidRequest("an extra header's name holds characters that none may have")
    if CONTROL.search(value):
        raise errors.InvalidRequest(f"the extra header {name} holds a line break")
    if name.lower() in OURS:
        log.warning(
            "An extra header that belongs to the transfer is ignored", extra={"header": name}
        )
        return None
    # HTTP libraries write latin-1; this keeps the bytes that were given.
    return name, value.encode().decode("latin-1")


def basic(user: str, password: str) -> str:
    """Return the value of a header for basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _basic(origin: Url, options: HttpOptions, given: set[str]) -> list[tuple[str, str]]:
    if "authorization" in given:
        return []
    if options.user and options.password:
        return [("Authorization", basic(options.user, options.password))]
    if origin.user:
        return [("Authorization", basic(origin.user, origin.password))]
    return []
