"""
Who we are to a registry: what it asks for in its challenges, and the tokens that answer them.

A registry that wants to know answers 401 and names one of two ways: `Basic`, or a `Bearer` token
that its `realm` gives out, to anybody for what is public. Nothing is shown before it was asked
for. A token that has expired, in the middle of a layer too, is replaced by a new one, once for
all threads that use it.

User and password go to a realm over https only, or where the registry itself is one that need
not be verified. Raises SourceError; no message, and no log, holds a token.
"""

from __future__ import annotations

import http
import json
import logging
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdi.images import errors
from cdi.images.http import client, failures
from cdi.images.http.options import basic
from cdi.images.http.response import Response
from cdi.images.http.urls import Route
from cdi.images.sources.registry.credentials import Credentials

log = logging.getLogger(__name__)

# A token that is refused so soon, in seconds, was not worth more before: another is no better.
USELESS = 1.0

_LONGEST_TOKEN = 64 << 10
_LONGEST_COMPLAINT = 300

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - HTTP's word for a word
# Either a scheme alone, or a parameter of the scheme before.
_PARTS = re.compile(rf'({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}[=/]*)))?')
_BARE = re.compile(r"[\x21-\x7e]+")

# Asks a realm: URL, and user and password to show. Returns the body.
Ask = Callable[[str, Credentials], bytes]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way that a server offers to say who we are."""

    scheme: str  # lower case
    parameters: Mapping[str, str]  # names in lower case


def parse_challenges(text: str) -> list[Challenge]:
    """Read the values of WWW-Authenticate headers, joined by commas."""
    found: list[tuple[str, dict[str, str]]] = []
    for name, quoted, plain in _PARTS.findall(text):
        if quoted or plain:
            if found:
                found[-1][1][name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain
        else:
            found.append((name.lower(), {}))
    return [Challenge(scheme, parameters) for scheme, parameters in found]


class Registry(client.Service):
    """One registry as it is spoken to about one repository; see `client.Service`."""

    def __init__(
        self,
        shown: str,
        repository: str,
        credentials: Credentials,
        ask: Ask,
        clock: Callable[[], float],
        *,
        insecure: bool,
    ) -> None:
        """`ask` fetches from a realm; `insecure` says that http will do for it."""
        self._shown, self._repository = shown, repository
        self._credentials, self._ask, self._insecure = credentials, ask, insecure
        self._clock = clock
        self._lock = threading.Lock()
        self._header = ""
        self._got_at = 0.0
        self._used = threading.local()  # what this thread has shown last

    def headers(self, route: Route, fields: client.Fields) -> Mapping[str, str]:
        del route, fields
        self._used.header = header = self._header
        return {"Authorization": header} if header else {}

    def retry_route(self, route: Route, response: Response) -> Route | None:
        """Ask again with what the registry wants to see, if we have it."""
        if response.status != http.HTTPStatus.UNAUTHORIZED:
            return None
        return route if self._renewed(response.headers.get("WWW-Authenticate", "")) else None

    def unchanged(self, version: str) -> client.Fields:
        del version
        return ()  # everything is named by its digest

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        """What the status means, with what the registry has to say about it."""
        wish = failures.retry_after(response.headers)
        error = failures.refusal_of(shown, response.status, response.phrase, wish)
        if said := complaint(response.text()):
            error.args = (f"{error} (the registry says: {said})",)
        return error

    def _renewed(self, challenges: str) -> bool:
        """Get what the registry asks for; whether there is anything better than was shown."""
        with self._lock:
            if self._header != self._used.header:
                return True  # another thread has been here
            if self._header and self._clock() - self._got_at < USELESS:
                return False
            offered = {each.scheme: each.parameters for each in parse_challenges(challenges)}
            if "bearer" in offered:
                self._header = f"Bearer {self._token(offered['bearer'])}"
            elif "basic" in offered and self._credentials and not self._header:
                self._header = basic(self._credentials.user, self._credentials.password)
            else:
                return False
            self._got_at = self._clock()
            return True

    def _token(self, parameters: Mapping[str, str]) -> str:
        url = self._realm(parameters)
        secret = self._credentials
        if secret and not url.lower().startswith("https:") and not self._insecure:
            raise errors.SourceRefused(
                f"{self._shown} wants user and password to be sent over plain http; "
                "they are kept back"
            )
        log.info("A token is asked for", extra={"registry": self._shown})
        return self._read(self._ask(url, secret))

    def _realm(self, parameters: Mapping[str, str]) -> str:
        """Return the URL that gives out tokens."""
        realm = parameters.get("realm", "")
        if not realm.lower().startswith(("http://", "https://")):
            raise errors.SourceRefused(f"{self._shown} wants a token and does not say whose")
        query = dict(self._query(parameters))
        return realm + ("&" if "?" in realm else "?") + urllib.parse.urlencode(query)

    def _query(self, parameters: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        if service := parameters.get("service"):
            yield "service", service
        # Never more than we came for, whatever the server asks.
        yield "scope", f"repository:{self._repository}:pull"

    def _read(self, body: bytes) -> str:
        try:
            answer: Any = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not _BARE.fullmatch(token):
            raise errors.SourceRefused(f"{self._shown}: the server of tokens gives none")
        return token


def complaint(body: str) -> str:
    """Return the errors of a registry's answer as one line; nothing if there are none."""
    try:
        found: Any = json.loads(body)
        each: Iterable[Any] = found["errors"]
        lines = [f"{one.get('code', '')} {one.get('message', '')}".strip() for one in each]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    text = " ".join("; ".join(lines).split())
    return "".join(char for char in text if char.isprintable())[:_LONGEST_COMPLAINT]
