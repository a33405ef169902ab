"""
/metrics, for those whom Kubernetes knows and allows.

A scraper brings a bearer token; the API server says whose it is, and whether that user may `get`
the address. Answers are kept for a minute, so that a scrape costs nothing and a flood of tokens
costs the API server little.

    401  no token, or nobody's
    403  somebody's who may not
    503  the API server cannot be asked
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cdi.kube import errors, reviews
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.connection import Credentials, as_bearer
from cdi.kube.transport import Settings

log = logging.getLogger(__name__)

KEPT: Final = 60.0  # seconds that an answer is believed
_MOST: Final = 256  # answers kept
_AT_ONCE: Final = 4  # questions to the API server
_SCHEME: Final = "bearer "
_PATIENT: Final = Settings(request_timeout=15.0, attempts=1)

# Whether the bearer of a token may get an address: None if the token is nobody's.
Judge = Callable[[str, str], Awaitable[bool | None]]


class Remembering:
    """Asks as `ask` does, and remembers for a while."""

    def __init__(self, ask: Judge, clock: Clock | None = None) -> None:
        self._ask = ask
        self._clock = clock or SystemClock()
        self._known: OrderedDict[tuple[bytes, str], tuple[float, bool | None]] = OrderedDict()
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, token: str, path: str) -> bool | None:
        """Raises errors.KubeError."""
        key = (hashlib.sha256(token.encode()).digest(), path)
        async with self._asking:
            known = self._known.get(key)
            if known is not None and self._clock.now() < known[0]:
                return known[1]
            answer = await self._ask(token, path)
        self._known[key] = (self._clock.now() + KEPT, answer)
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return answer


def reviewed(client: Client, clock: Clock | None = None) -> Judge:
    """By TokenReview and SubjectAccessReview: for processes whose role lets them ask these."""

    async def ask(token: str, path: str) -> bool | None:
        user = await reviews.user_of_token(client, token)
        if user is None:
            return None
        verdict = await reviews.may(client, user, reviews.Action("get", path=path))
        return verdict.allowed

    return Remembering(ask, clock)


def asked_as_bearer(credentials: Credentials, clock: Clock | None = None) -> Judge:
    """By the bearer's own question whether it may: for processes whose role lets them ask nothing.

    The token goes where a TokenReview would take it, to the API server of `credentials`, and is
    used for this one question.
    """

    async def ask(token: str, path: str) -> bool | None:
        try:
            async with Client.to(await as_bearer(credentials, token), _PATIENT) as client:
                return await reviews.may_i(client, reviews.Action("get", path=path))
        except errors.Unauthorized:
            return None
        except errors.Forbidden:
            return False

    return Remembering(ask, clock)


class Scrapes:
    """Answers with `text`, which is in Prometheus' format."""

    def __init__(self, text: Callable[[], bytes], judge: Judge) -> None:
        self._text = text
        self._judge = judge

    def routes(self) -> list[web.RouteDef]:
        """The one address."""
        return [web.get("/metrics", self._scraped)]

    async def _scraped(self, request: web.Request) -> web.StreamResponse:
        header = request.headers.get("Authorization", "")
        if not header.lower().startswith(_SCHEME):
            return _refused(401, "a bearer token is needed")
        try:
            allowed = await self._judge(header[len(_SCHEME) :].strip(), request.path)
        except errors.KubeError as error:
            log.warning("a scraper cannot be judged", extra={"cause": str(error)})
            return _refused(503, "the API server cannot be asked who you are")
        if allowed is None:
            return _refused(401, "the token is not valid")
        if not allowed:
            return _refused(403, f"you may not get {request.path}")
        response = web.Response(body=self._text())
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
        response.enable_compression()
        return response


def _refused(code: int, why: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if code == 401 else {}
    return web.Response(status=code, text=f"{why}\n", headers=headers)
