"""HTTP to the upload proxy: one session, and what its answers say of themselves. Sizes in bytes."""

from __future__ import annotations

import contextlib
import html
import json
import socket
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from cdi.cli.uploads.proxy import Route
from cdi.kube.transport import watched_socket

_CONNECT: Final = 15.0  # seconds
_LONGEST_ANSWER: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, of any request."""

    status: int
    headers: dict[str, str]  # names in lower case
    text: str

    @property
    def reason(self) -> str:
        """The word for programs, where there is one."""
        return self.headers.get("cdi-reason", "") or str(self._said().get("reason", ""))

    @property
    def message(self) -> str:
        """The sentence for people."""
        return html.unescape(str(self._said().get("message", "") or self.text.strip()))

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again."""
        with contextlib.suppress(ValueError):
            return float(self.headers.get("retry-after", ""))
        return None

    def _said(self) -> dict[str, object]:
        with contextlib.suppress(ValueError):
            found = json.loads(self.text)
            if isinstance(found, dict):
                return found
        return {}


class _Known(AbstractResolver):
    """Knows where one host is, whose name no resolver here has heard of."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        found = ResolveResult(
            hostname=host, host=self._address, port=port, family=socket.AF_INET, proto=0, flags=0
        )
        return [found]

    async def close(self) -> None:
        """There is nothing to close."""


def session_to(route: Route) -> aiohttp.ClientSession:
    """A session that waits as long as a conversion takes, and notices a dead machine."""
    resolver = _Known(route.leads_to) if route.leads_to else None
    connector = aiohttp.TCPConnector(
        ssl=route.context, socket_factory=watched_socket, resolver=resolver
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
        trust_env=route.through_environment,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "cdi"},
    )


async def answer_of(response: aiohttp.ClientResponse) -> Answer:
    """Read an answer, which is short."""
    text = await response.content.read(_LONGEST_ANSWER)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, text.decode(errors="replace"))
