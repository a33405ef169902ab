"""Patterns and named formats of schemas: date-time, byte, uuid, ipv4, ..."""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import re
import urllib.parse
from collections.abc import Callable
from datetime import date, datetime

_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_DURATION = re.compile(
    r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*|[-+]?0"
)
_HOSTNAME = re.compile(
    r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def matches(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text) is not None


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A schema's pattern (Go and ECMA syntax) as Python's. Raises re.error."""
    python = re.sub(r"\\z$", r"\\Z", pattern)
    # Only an unescaped final `$`: Python's also matches before a trailing newline, theirs does not.
    python = re.sub(r"(?<!\\)\$$", r"\\Z", python)
    return re.compile(python)


def fits(name: str, text: str) -> bool:
    """Whether a text has a named format; formats that are not known fit every text."""
    check = _CHECKS.get(name)
    return check is None or check(text)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _date_time(text: str) -> bool:
    shape = _DATE_TIME.fullmatch(text)
    return shape is not None and _parses(datetime.fromisoformat)(text)


def _is_uri(text: str) -> bool:
    return _parses(urllib.parse.urlsplit)(text) and bool(urllib.parse.urlsplit(text).scheme)


_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "cidr": lambda text: (
        "/" in text and _parses(lambda t: ipaddress.ip_network(t, strict=False))(text)
    ),
    "date": _parses(date.fromisoformat),
    "date-time": _date_time,
    "datetime": _date_time,
    "micro-time": _date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOSTNAME.fullmatch(text) is not None,
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "uri": _is_uri,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}
