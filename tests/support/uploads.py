"""
An upload proxy in the test's loop, between claims that the test writes and a server it looks into.

    async with uploads.running(tmp_path) as world:
        world.claim("disk")
        async with world.post("upload", b"bytes") as answer: ...

The server stands in for an upload server as far as a proxy can tell: mutual TLS, and what it does
with a request is what the test says; by itself it takes what comes, and does tus in memory.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import hashlib
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.api import names
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving.server import Address, WebServer
from cdi.web.tokens.keys import KeySet
from cdi.web.tokens.payload import UploadPayload
from cdi.web.tokens.signing import Tokens
from cdi.web.uploadproxy.crossorigin import Origins
from cdi.web.uploadproxy.endpoints import Endpoint, NoEndpoint
from cdi.web.uploadproxy.identity import Identity
from cdi.web.uploadproxy.server import Parts, Settings, upload_proxy
from support import serving
from support.fakeclock import FakeClock
from support.fakekube import FakeKube
from support.serving import DAY, now

A = "cdi.kubevirt.io/"
NAMESPACE = "vms"
OWN = "proxys-own"  # its token at the API server

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Received:
    """One request as the upload server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    client: str  # the common name that it showed
    size: int = 0
    digest: str = ""
    complete: bool = False


@dataclasses.dataclass
class Session:
    """One resumable upload."""

    length: int
    content: bytearray = dataclasses.field(default_factory=bytearray)


class UploadServer:
    """What the proxy speaks to."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.sessions: dict[str, Session] = {}
        self.answer: Answer | None = None  # instead of taking what comes
        self.completed: Callable[[], None] = lambda: None  # told when there is all of an upload
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._asked = asyncio.Condition()

    async def until(self, count: int) -> None:
        """Return once so many requests have come."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.received) >= count)

    async def start(self, context: ssl.SSLContext, port: int = 0) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, auto_decompress=False
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        shown = request.transport.get_extra_info("peercert")
        client = shown["subject"][0][0][1] if shown else ""
        found = Received(request.method, request.raw_path, dict(request.headers), client)
        self.received.append(found)
        async with self._asked:
            self._asked.notify_all()
        if self.answer is not None:
            return await self.answer(request)
        if request.path.startswith("/v1beta1/upload-tus"):
            return await self._resumable(request)
        await self._take(request, found)
        if request.method == "POST":
            self.completed()
        return web.Response()

    async def _take(self, request: web.Request, found: Received) -> None:
        digest = hashlib.sha256()
        async for block in request.content.iter_any():
            digest.update(block)
            found.size += len(block)
        found.digest = digest.hexdigest()
        found.complete = True

    async def _resumable(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/v1beta1/upload-tus").strip("/")
        headers = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
        if request.method == "POST":
            name = secrets.token_urlsafe(32)
            self.sessions[name] = Session(int(request.headers["Upload-Length"]))
            headers["Location"] = f"/v1beta1/upload-tus/{name}"
            return web.Response(status=201, headers=headers)
        session = self.sessions.get(name)
        if session is None:
            return web.json_response({"reason": "NoSession"}, status=404, headers=headers)
        if request.method == "PATCH":
            if int(request.headers["Upload-Offset"]) != len(session.content):
                return web.Response(status=409, headers=headers)
            async for block in request.content.iter_any():
                session.content += block
            if len(session.content) == session.length:
                self.completed()
        if request.method == "DELETE":
            del self.sessions[name]
            return web.Response(status=204, headers=headers)
        headers["Upload-Offset"] = str(len(session.content))
        headers["Upload-Length"] = str(session.length)
        return web.Response(status=200 if request.method == "HEAD" else 204, headers=headers)


@dataclasses.dataclass
class World:
    """A proxy and what is around it."""

    kube: FakeKube
    server: UploadServer
    proxy: WebServer
    tokens: Tokens
    session: aiohttp.ClientSession
    context: ssl.SSLContext  # of clients of the proxy
    server_context: ssl.SSLContext
    identity: list[Identity]  # what the proxy has; put another one in its place
    authorities: dict[str, pki.Pair]
    clock: Clock | None
    reachable: bool = True

    @property
    def base(self) -> str:
        return f"https://{serving.HOST}:{self.proxy.port}"

    def url(self, kind: str, version: str = "v1beta1") -> str:
        return f"{self.base}/{version}/{kind}"

    def claim(self, name: str, *, uid: str = "", ready: bool = True, **changes: Any) -> None:
        """A claim that takes an upload; `changes` are annotations, None takes one away."""
        found: dict[str, str | None] = {
            A + "storage.upload.target": "",
            A + "storage.pod.phase": "Running",
            A + "storage.pod.ready": str(ready).lower(),
            A + "storage.contentType": "kubevirt",
        }
        spec = changes.pop("spec", {})
        found |= changes.pop("annotations", {})
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": NAMESPACE,
            "annotations": {key: value for key, value in found.items() if value is not None},
            **changes,
        }
        if uid:
            metadata["uid"] = uid
        self.kube.put(
            "persistentvolumeclaims",
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": spec,
            },
        )

    def token(self, name: str = "disk", uid: str = "") -> str:
        return self.tokens.sign_upload(UploadPayload(NAMESPACE, name, uid))

    def bearer(self, name: str = "disk", uid: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(name, uid)}"}

    def post(self, kind: str, body: Any, **headers: str) -> Any:
        """An upload to the claim `disk`; a context manager with the answer."""
        return self.session.post(self.url(kind), data=body, headers={**self.bearer(), **headers})

    async def locate(self, namespace: str, service: str) -> Endpoint:
        if not self.reachable:
            raise NoEndpoint(f"no pod is behind {service}")
        return Endpoint("127.0.0.1", self.server.port, f"{service}.{namespace}.svc")

    def control(self, name: str = "disk") -> None:
        """Do what controllers would: a volume takes an upload as soon as it is made, and has its
        content when the upload is complete."""

        def made(verb: str, obj: dict[str, Any]) -> None:
            if verb != "create":
                return
            if obj["kind"] == "UploadTokenRequest":
                obj["status"] = {"token": self.token(obj["spec"]["pvcName"])}
            if obj["kind"] == "DataVolume":
                obj["status"] = {"phase": "UploadReady"}
                content_type = obj["spec"].get("contentType", "kubevirt")
                self.claim(name, annotations={A + "storage.contentType": content_type})
            if obj["kind"] == "PersistentVolumeClaim":
                obj["metadata"]["annotations"][A + "storage.pod.ready"] = "true"

        def filled() -> None:
            self.claim(name, annotations={A + "storage.pod.phase": "Succeeded"})

        self.kube.before_write = made
        self.server.completed = filled

    async def restart_server(self) -> None:
        await self.server.stop()
        await self.server.start(self.server_context, self.server.port)


def encoded(text: str) -> str:
    """A value of Upload-Metadata."""
    return base64.b64encode(text.encode()).decode()


def server_context(
    signer: pki.Pair, clients: pki.Pair, directory: Path, claims: tuple[str, ...] = ("disk",)
) -> ssl.SSLContext:
    """Of a server for these claims that insists on a certificate of `clients`."""
    hosts = [f"{names.upload_service_for(claim)}.{NAMESPACE}.svc" for claim in claims]
    pair = pki.issue(signer, hosts[0], pki.Use.SERVER, now(), DAY, hosts=hosts)
    files = serving.written(directory, pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(cadata=clients.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def identity_of(clients: pki.Pair, signer: pki.Pair) -> Identity:
    """What a proxy shows servers, and believes."""
    pair = pki.issue(clients, names.UPLOAD_CLIENT, pki.Use.CLIENT, now(), DAY)
    return Identity(pair.certificate, pair.key, signer.certificate)


@asynccontextmanager
async def running(
    directory: Path,
    *,
    claims: tuple[str, ...] = ("disk",),
    clock: Clock | None = None,
    origins: tuple[str, ...] = ("*",),
    page: bool = False,
) -> AsyncIterator[World]:
    """A proxy with everything around it."""
    front, servers, clients = (serving.authority(name) for name in ("front", "s", "c"))
    key = _signing_key()
    keys = KeySet(key, (key.public_key(),))
    identity = [identity_of(clients, servers)]

    async def who() -> Identity:
        return identity[0]

    async def locate(namespace: str, service: str) -> Endpoint:
        return await world.locate(namespace, service)

    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(FakeKube())
        own = connection.direct(kube.url, OWN)
        client = await stack.enter_async_context(Client.to(own))
        server = UploadServer()
        made = server_context(servers, clients, directory / "server", claims)
        await server.start(made)
        stack.push_async_callback(server.stop)
        locator = _Locator(locate)
        parts = Parts(
            client,
            locator,
            keys,
            who,
            ProcessMetrics(),
            clock or _impatient(),
            own if page else None,
        )
        shown = serving.written(directory / "proxy", serving.server_pair(front))
        settings = Settings(Address("127.0.0.1", 0), shown, origins=Origins(origins), drain=0.0)
        proxy = upload_proxy(parts, settings)
        await stack.enter_async_context(serving.run(proxy))
        context = serving.client_context(front)
        session = await stack.enter_async_context(serving.session(context))
        authorities = {"front": front, "servers": servers, "clients": clients}
        world = World(
            kube,
            server,
            proxy,
            Tokens(keys),
            session,
            context,
            made,
            identity,
            authorities,
            clock,
        )
        (directory / "ca.crt").write_text(front.certificate)
        yield world


@functools.cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One for all tests: it takes a while to make."""
    return pki.parse_rsa_private(pki.make_rsa_pair()[0])


class _Locator:
    def __init__(self, locate: Callable[[str, str], Awaitable[Endpoint]]) -> None:
        self.locate = locate


def _impatient() -> Clock:
    """Pauses of the proxy take no time."""
    return FakeClock(skip=60.0)
