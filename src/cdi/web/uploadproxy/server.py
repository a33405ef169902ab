"""
The upload proxy as a process, or as a part of one: what it serves and what it needs for that.

Up: it listens; it is ready once it has certificates of its own and keys to believe tokens by.
Down: not ready, drained, then what is still under way is cut; whoever uploads resumably goes on
at another replica, or at the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from cdi.api import labels
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.connection import Credentials
from cdi.storage import tlsprofile
from cdi.storage.tlsprofile import TLSProfile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving.health import Health
from cdi.web.serving.metrics import Judge, Scrapes, asked_as_bearer, reviewed
from cdi.web.serving.server import DRAIN, Address, WebServer
from cdi.web.serving.tls import Certificate, ServerTls
from cdi.web.tokens.keys import Keys
from cdi.web.tokens.signing import Tokens
from cdi.web.uploadproxy import body, paths, permission, refusals, tus
from cdi.web.uploadproxy.claims import Claims
from cdi.web.uploadproxy.crossorigin import Origins
from cdi.web.uploadproxy.endpoints import Endpoints
from cdi.web.uploadproxy.forwarding import Forwarder, Onward
from cdi.web.uploadproxy.identity import ReadIdentity
from cdi.web.uploadproxy.metrics import UploadMetrics
from cdi.web.uploadproxy.pages import Page
from cdi.web.uploadproxy.peers import BUFFER, Peers
from cdi.web.uploadproxy.readiness import Finished, Ready
from cdi.web.uploadproxy.refusals import Refused

log = logging.getLogger(__name__)

_CLIENT_GONE: Final = 499


@dataclass(frozen=True, slots=True)
class Parts:
    """What the proxy works with."""

    client: Client  # reads claims
    endpoints: Endpoints
    keys: Keys  # whose tokens are believed
    identity: ReadIdentity  # what is shown to upload servers
    process_metrics: ProcessMetrics
    clock: Clock | None = None
    # Where the API server is, for the page, which asks there as whoever uses it; None: no page.
    callers: Credentials | None = None


def _intermediate() -> TLSProfile:
    return tlsprofile.INTERMEDIATE


@dataclass(frozen=True, slots=True)
class Settings:
    """Where it is reached and what it shows there."""

    address: Address
    certificate: Certificate
    profile: Callable[[], TLSProfile] = _intermediate
    origins: Origins = field(default_factory=Origins)
    drain: float = DRAIN  # seconds


def upload_proxy(parts: Parts, settings: Settings) -> WebServer:
    """The proxy, as a part for a manager."""
    proxy = _Proxy(parts, settings.origins)
    health = Health({"signing key": lambda: bool(parts.keys.believed())})
    app = web.Application(middlewares=[proxy.guard])
    for routes in (health.routes(), Scrapes(proxy.metrics_text, _judge(parts)).routes()):
        app.router.add_routes(routes)
    proxy.add_to(app)
    if parts.callers is not None:
        app.router.add_routes(Page(parts.callers).routes())
    tls = ServerTls(settings.certificate, profile=settings.profile)
    return WebServer(
        labels.UPLOAD_PROXY,
        app,
        settings.address,
        tls,
        health,
        drain=settings.drain,
        buffer=BUFFER,
        as_sent=True,
    )


def _judge(parts: Parts) -> Judge:
    """Who may read metrics; the proxy's own role lets it ask about nobody."""
    if parts.callers is None:
        return reviewed(parts.client, parts.clock)
    return asked_as_bearer(parts.callers, parts.clock)


class _Proxy:
    """The handlers of uploads."""

    def __init__(self, parts: Parts, origins: Origins) -> None:
        self._metrics = UploadMetrics()
        self._process_metrics = parts.process_metrics
        self._tokens = Tokens(parts.keys)
        self._claims = Claims(parts.client, parts.clock)
        self._peers = Peers(parts.identity, parts.clock)
        self._forwarder = Forwarder(parts.endpoints, self._peers, self._metrics, parts.clock)
        self._origins = origins
        self._resources: set[str] = set()  # those of uploads, as the router names them

    def metrics_text(self) -> bytes:
        """Of the process and of uploads."""
        return self._process_metrics.text() + self._metrics.text()

    def add_to(self, app: web.Application) -> None:
        """Serve uploads there."""
        handlers = dict.fromkeys(paths.PLAIN, self._plain)
        handlers[paths.RESUMABLE] = self._open_session
        handlers[paths.SESSION] = self._continue_session
        for path, handler in handlers.items():
            resource = app.router.add_resource(path)
            resource.add_route("*", handler, expect_handler=body.not_yet)
            self._resources.add(resource.canonical)
        app.on_response_prepare.append(self._say_who_may_read)

        async def end(app: web.Application) -> None:
            del app
            await self._peers.close()

        app.on_cleanup.append(end)

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        allowed = permission.permission_in(request.headers.get("Authorization"), self._tokens)
        onward = Onward(
            find=lambda: self._claims.server_of(allowed.namespace, allowed.name, allowed.uid),
            lost=lambda: None,
            path=lambda ready: paths.at_server(request.path, ready.content_type),
        )
        return await self._forwarder.forward(request, onward)

    async def _open_session(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=tus.SUPPORTED)
        allowed = permission.permission_in(request.headers.get("Authorization"), self._tokens)

        def relocate(headers: CIMultiDict[str]) -> None:
            if location := headers.get("Location"):
                headers["Location"] = paths.session_here(allowed.namespace, allowed.name, location)

        def metadata(ready: Ready) -> dict[str, str]:
            said = request.headers.get(tus.METADATA, "")
            return {tus.METADATA: tus.metadata_for(said, ready.content_type)}

        onward = Onward(
            find=lambda: self._claims.server_of(allowed.namespace, allowed.name, allowed.uid),
            lost=lambda: None,
            path=lambda _: paths.RESUMABLE,
            headers=metadata,
            answer_headers=relocate,
        )
        try:
            return await self._forwarder.forward(request, onward)
        except Finished as finished:
            # Clients of the plain paths know 503 for it; here there are none but ours and others'.
            raise Refused(409, finished.reason, finished.message) from finished

    async def _continue_session(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=tus.SUPPORTED)
        namespace, claim = request.match_info["namespace"], request.match_info["claim"]
        at_server = paths.session_at_server(request.match_info["session"])
        onward = Onward(
            find=lambda: self._claims.server_of_session(namespace, claim),
            lost=lambda: self._claims.forget(namespace, claim),
            path=lambda _: at_server,
        )
        try:
            return await self._forwarder.forward(request, onward)
        except Finished as finished:
            return tus.after_the_end(request, finished)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count uploads, and turn what they end with into answers."""
        path = self._upload_path(request)
        if not path:
            return await handler(request)
        self._metrics.began()
        code = _CLIENT_GONE
        try:
            response = await self._answer(request, handler, path)
            code = response.status
        finally:
            self._metrics.ended(path, code)
        return response

    def _upload_path(self, request: web.Request) -> str:
        """The path as the router names it, without what is one upload's; empty for others."""
        resource = request.match_info.route.resource
        path = resource.canonical if resource else ""
        return path if path in self._resources else ""

    async def _answer(
        self, request: web.Request, handler: Handler, path: str
    ) -> web.StreamResponse:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return self._preflight(request)
        try:
            return await handler(request)
        except Refused as refused:
            log.info("upload is refused", extra={"path": path, "reason": refused.reason})
            return refusals.answer(refused, as_json=refusals.wants_json(request))

    def _preflight(self, request: web.Request) -> web.StreamResponse:
        granted = self._origins.preflight(request.headers.get("Origin", ""), request.headers)
        if granted is None:
            refused = Refused(403, "OriginRefused", "pages of this origin may not upload here")
            return refusals.answer(refused, as_json=False)
        return web.Response(headers=granted)

    async def _say_who_may_read(self, request: web.Request, response: web.StreamResponse) -> None:
        if self._upload_path(request):
            response.headers.update(self._origins.headers_for(request.headers.get("Origin", "")))
