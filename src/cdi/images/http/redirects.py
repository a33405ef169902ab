"""
What a redirect says: where to go on, and which cookies to bring along.

Cookies go back to the host that set them, by TLS only if they say so, and live as long as the
client: enough for log-in pages of download portals that check whether cookies are kept. Domain and
Path are not honoured, so that a host never gets what another one said. Values are secrets. Facts:
RFC 6265. Raises SourceRefused.
"""

from __future__ import annotations

import logging
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace

from cdi.images import errors
from cdi.images.http import urls
from cdi.images.http.response import Response

log = logging.getLogger(__name__)

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})

Ask = Callable[[urls.Route], Response]
RetryRoute = Callable[[urls.Route, Response], urls.Route | None]

_RAW = re.compile(r"[\x80-\xff]")
_MOST = 50  # of one host
_LONGEST = 4096
_PAIR = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([!-:<-~]*)\s*")


class Cookies:
    """What the hosts of one client have set. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_host: dict[str, dict[str, tuple[str, bool]]] = {}

    def keep(self, place: urls.Url, header: str) -> None:
        """Take the Set-Cookie headers of an answer of `place`, one a line."""
        with self._lock:
            for line in header.split("\n"):
                pair, *attributes = line.split(";")
                match = _PAIR.fullmatch(pair)
                kept = self._by_host.setdefault(place.host, {})
                if match and len(pair) <= _LONGEST and (match[1] in kept or len(kept) < _MOST):
                    secure = any(each.strip().lower() == "secure" for each in attributes)
                    kept[match[1]] = (match[2], secure)

    def header(self, place: urls.Url) -> str:
        """Return the Cookie header for a request to `place`, empty where there is none."""
        with self._lock:
            kept = self._by_host.get(place.host, {})
            return "; ".join(
                f"{name}={value}"
                for name, (value, secure) in kept.items()
                if place.scheme == "https" or not secure
            )


def followed(
    answer: Response, route: urls.Route, ask: Ask, retry_route: RetryRoute, cookies: Cookies
) -> tuple[Response, urls.Route]:
    """Go on from an answer of 300 or more; return the first that is no redirect, and its route.

    `retry_route` says where a refusal is asked anew at once.
    """
    start = route
    for left in range(MAX_REDIRECTS, -1, -1):
        try:
            again = retry_route(route, answer) if answer.status >= 300 and route.trusted else None
        except BaseException:
            answer.close()
            raise
        if again is None and answer.status not in REDIRECTS:
            return answer, route
        answer.close()
        if left:
            route = onward(route, answer.headers, again, cookies)
            answer = ask(route)
    raise errors.SourceRefused(
        f"{start.location.printable} redirects more than {MAX_REDIRECTS} times; check the address"
    )


def onward(
    route: urls.Route, headers: Mapping[str, str], known: urls.Route | None, cookies: Cookies
) -> urls.Route:
    """Return where an answer leads, unless that is `known` already; keep the cookies it sets."""
    if wanted := headers.get("Set-Cookie"):
        cookies.keep(route.location, wanted)
    there = known or redirected(route, headers.get("Location"))
    log.info(
        "The source redirects",
        extra={"location": there.location.printable, "trusted": there.trusted},
    )
    return there


def redirected(route: urls.Route, target: str | None) -> urls.Route:
    """Follow one redirect from `route` to what the server's Location header says."""
    shown = route.location.printable
    if not target:
        raise errors.SourceRefused(f"{shown} redirects to nowhere; ask its operator")
    try:
        there = urls.parsed(urllib.parse.urljoin(route.location.url, _escaped(target)))
    except ValueError as wrong:
        raise errors.SourceRefused(f"{shown} redirects to a URL that {wrong}") from None
    # Credentials in a Location header are the server's invention, not the user's.
    bare = replace(there, user="", password="", secret_path=route.location.secret_path)
    return urls.Route(bare, route.trusted and bare.origin == route.location.origin)


def _escaped(target: str) -> str:
    """Escape the bytes of a Location header that no URL may have, in whatever encoding they are.

    Headers are read as latin-1, which keeps the bytes as they came.
    """
    return _RAW.sub(lambda byte: f"%{ord(byte[0]):02X}", target)
