"""
Cookies that a redirect sets, and wants to see again on the next hop.

They go back to the host that set them, by TLS only if they say so, and live as long as the client:
enough for log-in pages of download portals that check whether cookies are kept. Domain and Path
are not honoured, so that a host never gets what another one said. Values are secrets. Facts:
RFC 6265.
"""

from __future__ import annotations

import re
import threading

from cdi.images.http.urls import Url

_MOST = 50  # of one host
_LONGEST = 4096
_PAIR = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([!-:<-~]*)\s*")


class Cookies:
    """What the hosts of one client have set. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_host: dict[str, dict[str, tuple[str, bool]]] = {}

    def keep(self, place: Url, header: str) -> None:
        """Take the Set-Cookie headers of an answer of `place`, one a line."""
        with self._lock:
            for line in header.split("\n"):
                pair, *attributes = line.split(";")
                match = _PAIR.fullmatch(pair)
                kept = self._by_host.setdefault(place.host, {})
                if match and len(pair) <= _LONGEST and (match[1] in kept or len(kept) < _MOST):
                    secure = any(each.strip().lower() == "secure" for each in attributes)
                    kept[match[1]] = (match[2], secure)

    def header(self, place: Url) -> str:
        """Return the Cookie header for a request to `place`, empty where there is none."""
        with self._lock:
            kept = self._by_host.get(place.host, {})
            return "; ".join(
                f"{name}={value}"
                for name, (value, secure) in kept.items()
                if place.scheme == "https" or not secure
            )
