"""
How to speak to one HTTP server: a frozen value, filled once at the edge; the headers in it.

Nothing here is read from the environment: whoever starts the work passes what it found there as
`proxies`. Durations are in seconds. Secrets do not show in `repr`; messages and log lines name a
header only, never its value. Raises InvalidRequest.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.urls import Url

log = logging.getLogger(__name__)

# Servers and firewalls of existing installations have rules for this name.
USER_AGENT = "cdi-golang-importer"

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


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Credentials, trust, proxies and patience for one source.

    `headers` and `secret_headers` are lines `Name: value`; both go to the origin of the URL only.
    Basic authentication is used if both `user` and `password` are non-empty. Certificates of
    `ca_files`, `ca_dirs` and `proxy_ca_dirs` are trusted beside the system's; of these only a
    missing `proxy_ca_dirs` entry is fine. `proxies` takes http_proxy, https_proxy and no_proxy
    in either case; other keys are ignored, so an environment can be passed whole. `secret_path`
    says that the URL's path is a secret like a password.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)
    secret_headers: tuple[str, ...] = field(default=(), repr=False)
    ca_files: tuple[Path, ...] = ()
    ca_dirs: tuple[Path, ...] = ()
    proxy_ca_dirs: tuple[Path, ...] = ()
    insecure: bool = False
    secret_path: bool = False
    proxies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    user_agent: str = USER_AGENT
    connections: int = 8  # kept open for reuse; more may be open at a time
    connect_timeout: float = 15.0  # TCP and TLS handshake together; DNS has its own limits
    stall: float = 60.0  # without a single byte, after which a connection is given up
    retries: retry.Policy = field(default_factory=retry.Policy)


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
