"""
One request, passed on to the server of its claim, and the answer passed back; both as they come.

A server that cannot be reached is looked for again, as long as few of the client's bytes are on
their way; after that, only the client can send them once more. If it goes away amid its body, the
connection to the server is cut, so that nobody takes what there is for all. If it goes away after
that, the server's work goes on. Times are in seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from cdi.kube.clock import Clock, SystemClock
from cdi.web.uploadproxy.body import Body
from cdi.web.uploadproxy.endpoints import Endpoints, NoEndpoint
from cdi.web.uploadproxy.metrics import UploadMetrics
from cdi.web.uploadproxy.peers import Peers
from cdi.web.uploadproxy.readiness import Ready
from cdi.web.uploadproxy.refusals import Refused

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0  # with a server that should be there
PAUSE: Final = 1.0
_COME_AGAIN: Final = 5

# Between neighbours only, or not the server's business.
_KEPT_BACK: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "content-length",
        "authorization",
        "cookie",
    }
)


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a request goes."""

    find: Callable[[], Awaitable[Ready]]  # asked again if the server is not where it was
    lost: Callable[[], None]  # told that it is not
    path: Callable[[Ready], str]
    headers: Callable[[Ready], Mapping[str, str]] = field(default=lambda _: {})  # instead of theirs
    # What becomes of headers of the answer.
    answer_headers: Callable[[CIMultiDict[str]], None] = field(default=lambda _: None)


class Forwarder:
    """Passes requests on."""

    def __init__(
        self,
        endpoints: Endpoints,
        peers: Peers,
        metrics: UploadMetrics,
        clock: Clock | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._peers = peers
        self._metrics = metrics
        self._clock = clock or SystemClock()

    async def forward(self, request: web.Request, onward: Onward) -> web.StreamResponse:
        """The server's answer. Raises Refused, and ConnectionError if the client is gone."""
        body = Body(request, self._metrics.passed)
        until = self._clock.now() + PATIENCE
        while True:
            ready = await onward.find()
            try:
                return await self._attempt(request, body, ready, onward)
            except (NoEndpoint, aiohttp.ClientError, OSError) as error:
                onward.lost()
                self._peers.doubt()
                if body.trouble is not None:
                    raise _client_error(body.trouble) from error
                if not body.can_begin_anew or self._clock.now() + PAUSE > until:
                    raise _server_error(ready, error) from error
            await self._clock.sleep(PAUSE)

    async def _attempt(
        self, request: web.Request, body: Body, ready: Ready, onward: Onward
    ) -> web.StreamResponse:
        endpoint = await self._endpoints.locate(ready.namespace, ready.service)
        headers = _passing(request.headers)
        headers.update(onward.headers(ready))
        if request.content_length is not None:
            headers["Content-Length"] = str(request.content_length)
        async with self._peers.session() as session:
            answer = await session.request(
                request.method,
                f"https://{endpoint.host}:{endpoint.port}{onward.path(ready)}",
                headers=headers,
                data=body if body.exists else None,
                server_hostname=endpoint.server_name,
                allow_redirects=False,
            )
            try:
                return await _relay(request, answer, body, onward)
            finally:
                answer.close() if not body.ended else answer.release()


async def _relay(
    request: web.Request, answer: aiohttp.ClientResponse, body: Body, onward: Onward
) -> web.StreamResponse:
    """Pass the answer back. From here on a failure can only be shown by cutting it short."""
    headers = _passing(answer.headers)
    onward.answer_headers(headers)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    if answer.content_length is not None:
        response.content_length = answer.content_length
    if not body.ended:
        response.force_close()  # the rest of the body is in the way of another request
    try:
        await response.prepare(request)
        async for block in answer.content.iter_any():
            await response.write(block)
        await response.write_eof()
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionResetError("the answer could not be passed on") from error
    return response


def _passing(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Those headers that concern both ends."""
    named = ",".join(headers.getall("Connection", ())).lower()
    kept_back = _KEPT_BACK | {each.strip() for each in named.split(",")}
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in kept_back)


def _client_error(trouble: Exception) -> Exception:
    if isinstance(trouble, TimeoutError):
        return Refused(408, "ClientSilent", "the client sent nothing for too long")
    if isinstance(trouble, web.RequestPayloadError):
        return Refused(400, "BrokenBody", "the body is malformed, or was broken off")
    return ConnectionResetError("the client is gone")


def _server_error(ready: Ready, error: Exception) -> Refused:
    where = f"{ready.service}.{ready.namespace}.svc"
    why = str(error) or type(error).__name__
    log.warning("an upload server does not answer", extra={"server": where, "cause": why})
    return Refused(
        502,
        "ServerLost",
        f"error in upload-proxy: {where}: {why}; send it again",
        retry_after=_COME_AGAIN,
    )
