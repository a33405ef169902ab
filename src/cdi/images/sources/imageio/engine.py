"""
A conversation with an oVirt engine: its REST API, in XML.

Here: logging in, as the engine's own clients do (a token of its single sign-on service, or basic
authentication where an engine has none), asking, what its faults mean, and asking again after a
failure that passes. Elsewhere: what is asked for (`catalog`, `transfers`), connections and trust
(`client`). Any thread may call. Waits end with Cancelled. Durations are in seconds.

Raises SourceError, InvalidRequest; SourceLocked where another operation has to end first.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.http import client, connection, failures, retry, urls
from cdi.images.http.client import Fields
from cdi.images.http.options import HttpOptions, basic
from cdi.images.http.response import Response
from cdi.images.sources.imageio import markup
from cdi.images.sources.imageio.markup import Node

log = logging.getLogger(__name__)

T = TypeVar("T")

SSO_PATH: Final = "/ovirt-engine/sso/oauth/token"
LOGOUT_PATH: Final = "/ovirt-engine/services/sso-logout"
_SCOPE: Final = "ovirt-app-api"
_NO_SSO = frozenset({404, 405})
_GOOD = frozenset({200, 201, 202})
_SHORT = 64 << 10  # bytes of answers that hold a token or a fault
_LONGEST_DETAIL = 300  # characters of an engine's own words in a message

_PASSING = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)


class Fault(errors.SourceRefused):
    """The engine refused, in words of its own."""


class Login:
    """User, password and the token that they brought; shared by all that speak to one engine."""

    def __init__(self, user: str, password: str) -> None:
        if not user or not password:
            raise errors.InvalidRequest(
                "an imageio source needs a user and a password: give a Secret with accessKeyId "
                "and secretKey, the user with its domain, such as admin@internal"
            )
        self.user, self.password = user, password
        self.authorization = ""  # value of the header, empty before the first log-in
        self.token = ""
        self.lock = threading.Lock()


class Engine(Closing):
    """One engine. Use as a context manager; the caller logs out."""

    def __init__(
        self,
        url: str,
        options: HttpOptions,
        cancel: threading.Event,
        *,
        login: Login | None = None,
        wait: Callable[[float], bool] | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """`login` is that of another conversation with the same engine."""
        given = urls.parse_url(url)
        self._url = url
        self._base = given.target.partition("?")[0].rstrip("/")
        self._place = replace(given, user="", password="")
        self._options = options
        self.login = login or Login(options.user or given.user, options.password or given.password)
        self._wait = cancel.wait if wait is None else wait
        self._rng = rng
        bare = replace(options, user="", password="", headers=(), secret_headers=())
        watch = connection.Watch(cancel, options.stall, time.monotonic)
        self._client = client.Client(self._place, bare, watch)

    @property
    def shown(self) -> str:
        """The address of its API, as it may be stored and logged."""
        return self._at("").printable

    def pause(self, seconds: float) -> None:
        """Wait, or raise Cancelled."""
        if self._wait(seconds):
            raise errors.Cancelled("the transfer was asked to stop")

    def again(self, cancel: threading.Event, stall: float) -> Engine:
        """Return another conversation of the same log-in: it heeds another event, and asks once."""
        once = replace(self._options.retries, opening_tries=1)
        hasty = replace(self._options, stall=stall, connect_timeout=stall, retries=once)
        return Engine(self._url, hasty, cancel, login=self.login, rng=self._rng)

    def get(self, path: str) -> Node:
        """Return the object at a path beneath the API."""
        return self._repeated(lambda: self._ask(path, None, markup.parse), _PASSING)

    def first(self, path: str, wanted: Callable[[Node], bool]) -> Node | None:
        """Return the first element of a list for which `wanted` holds, None without one."""

        def read(pieces: Iterator[bytes]) -> Node | None:
            return next(filter(wanted, markup.elements(pieces)), None)

        return self._repeated(lambda: self._ask(path, None, read), _PASSING)

    def post(self, path: str, body: bytes, *, repeatable: bool = False) -> Node:
        """Send an object. What must not happen twice is sent again only if it did not arrive."""
        passing = _PASSING if repeatable else (errors.SourceUnavailable,)
        return self._repeated(lambda: self._ask(path, body, markup.parse), passing)

    def log_out(self) -> None:
        """Give the token back, if that is easily done."""
        login = self.login
        if login.token:
            body = urllib.parse.urlencode({"scope": "", "token": login.token}).encode()
            with contextlib.suppress(errors.TransferError):
                self._client.call(self._rooted(LOGOUT_PATH), _FORM, body).close()
            login.token = login.authorization = ""

    def close(self) -> None:
        self._client.close()

    # One request.

    def _at(self, path: str) -> urls.Url:
        return replace(self._place, target=f"{self._base}{path}" or "/")

    def _rooted(self, path: str) -> urls.Route:
        return urls.Route(replace(self._place, target=path))

    def _ask(self, path: str, body: bytes | None, read: Callable[[Iterator[bytes]], T]) -> T:
        authorization = self._authorization()
        try:
            return self._asked(path, body, read, authorization)
        except _Stale:
            log.info("The engine's token has expired, logging in again")
            self._forget(authorization)
        try:
            return self._asked(path, body, read, self._authorization())
        except _Stale as refusal:
            raise errors.AccessDenied(str(refusal)) from None

    def _asked(
        self,
        path: str,
        body: bytes | None,
        read: Callable[[Iterator[bytes]], T],
        authorization: str,
    ) -> T:
        place = self._at(path)
        fields: Fields = (("Accept", _XML), ("Authorization", authorization), ("Version", "4"))
        if body is not None:
            fields += (("Content-Type", _XML),)
        with self._client.call(urls.Route(place), fields, body) as answer:
            if answer.status == 401:
                raise _Stale(
                    f"{place.printable}: the engine does not know user and password; "
                    "check the Secret, and whether the user's name ends with its domain"
                )
            if answer.status not in _GOOD:
                raise _fault_of(place.printable, answer)
            return read(_pieces(answer))

    def _repeated(self, work: Callable[[], T], passing: tuple[type[errors.SourceError], ...]) -> T:
        budget = retry.Budget(self._options.retries, self._options.retries.opening_tries, self._rng)
        while True:
            try:
                return work()
            except errors.SourceLocked:
                raise
            except passing as failure:
                delay = budget.pause_after(failure)
                if delay is None:
                    raise
                log.info(
                    "The engine did not answer and is asked again",
                    extra={"engine": self.shown, "reason": failure.reason, "delay": delay},
                )
            self.pause(delay)

    # Logging in.

    def _authorization(self) -> str:
        login = self.login
        with login.lock:
            if not login.authorization:
                login.token = self._token()
                login.authorization = (
                    f"Bearer {login.token}" if login.token else basic(login.user, login.password)
                )
            return login.authorization

    def _forget(self, authorization: str) -> None:
        with self.login.lock:
            if self.login.authorization == authorization:
                self.login.authorization = self.login.token = ""

    def _token(self) -> str:
        """Return a token of the single sign-on service; nothing where there is no such service."""
        route = self._rooted(SSO_PATH)
        shown = route.location.printable
        form = {
            "grant_type": "password",
            "scope": _SCOPE,
            "username": self.login.user,
            "password": self.login.password,
        }
        body = urllib.parse.urlencode(form).encode()
        with self._client.call(route, _FORM, body) as answer:
            if answer.status in _NO_SSO:
                return ""
            if answer.status in failures.BUSY:
                raise _fault_of(shown, answer)
            said = _json_object(_short(answer))
            token = said.get("access_token")
            if answer.status in _GOOD and isinstance(token, str) and token.isascii() and token:
                return token
            # Its words are not repeated: some versions name the user together with the attempt.
            if answer.status in {400, 401, 403} or "error" in said:
                raise errors.AccessDenied(
                    f"{shown}: the engine refuses to log this user in; check accessKeyId "
                    "and secretKey, and whether the user's name ends with its domain"
                )
            raise errors.SourceRefused(
                f"{shown}: the answer ({answer.status}) is not that of an oVirt engine; "
                "check the URL, https://HOST/ovirt-engine/api"
            )


_XML: Final = "application/xml"
_FORM: Final = (
    ("Accept", "application/json"),
    ("Content-Type", "application/x-www-form-urlencoded"),
)


class _Stale(errors.AccessDenied):
    """The engine does not accept the token, or not any more."""


def _pieces(answer: Response) -> Iterator[bytes]:
    while piece := answer.read(64 << 10):
        yield piece


def _short(answer: Response) -> bytes:
    """Return the body of an answer that has to be short; what is longer is cut."""
    body = b""
    for piece in _pieces(answer):
        body += piece
        if len(body) > _SHORT:
            break
    return body[:_SHORT]


def _json_object(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _fault_of(shown: str, answer: Response) -> errors.SourceError:
    """The error that an answer of the engine stands for."""
    detail = _detail(_short(answer))
    said = f"{shown}: the engine answers {answer.status} {answer.phrase}".rstrip()
    said += f": {detail}" if detail else ""
    if answer.status in {400, 409} and "locked" in detail.lower():
        return errors.SourceLocked(f"{said}; wait until the other operation has ended")
    if answer.status == 404:
        return errors.NotFound(said)
    if answer.status == 403:
        return errors.AccessDenied(f"{said}; give this user the right to read and copy the disk")
    if answer.status in failures.BUSY:
        wish = failures.retry_after(answer.headers)
        return errors.SourceUnavailable(f"{said}; try again later", wish)
    return Fault(f"{said}; look into the engine's events")


def _detail(body: bytes) -> str:
    try:
        root = markup.parse([body])
    except errors.SourceRefused:
        return ""
    fault = root if root.name == "fault" else root.child("fault")
    words = "" if fault is None else fault.value("detail") or fault.value("reason")
    return " ".join(words.split())[:_LONGEST_DETAIL]
