"""
The page for people: a few plain files, and what it asks on behalf of whoever looks at it.

The page can do nothing that its user may not do. What it wants to know of the cluster is asked with
the token that was pasted, never with the proxy's own. Nothing of it is for pages of other origins,
no script or style comes from anywhere else, and nobody may show it in a frame.

    GET  /                              the page
    GET  /page/FILE                     its parts
    GET  /page/volumes?namespace=NAME   volumes that take an upload; of all namespaces without NAME
    POST /page/tokens                   {namespace, name}: an upload token
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from importlib import resources as package
from typing import Any, Final

import msgspec
from aiohttp import web

from cdi.api import resources as ours
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.connection import Credentials, as_bearer
from cdi.kube.objects import Objects
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, Resource
from cdi.kube.transport import Settings
from cdi.web.uploadproxy import listing, permission, refusals
from cdi.web.uploadproxy.refusals import Refused

log = logging.getLogger(__name__)

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_MOST: Final = 500  # volumes of a kind that are shown
_AT_ONCE: Final = 8  # questions to the API server
_LONGEST: Final = 4 << 10  # bytes of a question
_PATIENT: Final = Settings(request_timeout=15.0, attempts=1)


def _of_ours(kind: str) -> Resource:
    found = ours.find(kind)
    return Resource(
        found.group, found.storage_version, found.plural, found.kind, namespaced=found.namespaced
    )


_DATA_VOLUMES: Final = _of_ours("DataVolume")
_TOKEN_REQUESTS: Final = _of_ours("UploadTokenRequest")

Question = Callable[[Client, web.Request], Awaitable[dict[str, Any]]]


class Page:
    """Serves the page; `credentials` say where the API server is, and are used for nothing else."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._files = {each.name: each.read_bytes() for each in _folder().iterdir()}
        self._asking = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """All of its addresses."""
        return [
            web.get("/", self._index),
            web.get("/page/volumes", self._answered(_volumes)),
            web.post("/page/tokens", self._answered(_token)),
            web.get("/page/{name}", self._file),
        ]

    async def _index(self, request: web.Request) -> web.Response:
        del request
        return self._shown("index.html")

    async def _file(self, request: web.Request) -> web.Response:
        return self._shown(request.match_info["name"])

    def _shown(self, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        response = web.Response(body=self._files[name], headers=_HEADERS)
        response.headers["Content-Type"] = f"{kind}; charset=utf-8"
        return response

    def _answered(self, ask: Question) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                token = permission.bearer_in(request.headers.get("Authorization"))
                async with self._asking, await self._as_caller(token) as client:
                    said = await ask(client, request)
            except Refused as refused:
                response = refusals.answer(refused, as_json=True)
            except errors.KubeError as error:
                response = refusals.answer(_refused(error), as_json=True)
            else:
                response = web.json_response(said)
            response.headers.update(_HEADERS)
            response.headers["Cache-Control"] = "no-store"
            return response

        return handler

    async def _as_caller(self, token: str) -> Client:
        """Speaks to the API server as the bearer of the token and as nobody else."""
        return Client.to(await as_bearer(self._credentials, token), _PATIENT)


def _folder() -> Any:
    return package.files("cdi.web.uploadproxy") / "page"


async def _volumes(client: Client, request: web.Request) -> dict[str, Any]:
    """What takes an upload, as far as the caller may see it."""
    namespace = request.query.get("namespace", "").strip()
    if namespace and not permission.is_name(namespace):
        raise Refused(400, "BadName", f"{namespace!r} is no name of a namespace")
    found: list[Objects] = []
    refused: errors.KubeError | None = None
    for resource in (_DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS):
        try:
            found.append(await _first(client, resource, namespace or None))
        except (errors.Forbidden, errors.NotFound) as error:
            refused = error
            found.append([])
    if refused is not None and not any(found):
        raise refused
    return {"volumes": listing.volumes(*found)}


async def _first(client: Client, resource: Resource, namespace: str | None) -> Objects:
    async with aclosing(client.pages(resource, namespace, limit=_MOST)) as pages:
        async for page in pages:
            return page.items
    return []


async def _token(client: Client, request: web.Request) -> dict[str, Any]:
    """An upload token for the volume that is named."""
    body = await request.content.read(_LONGEST)
    try:
        asked = msgspec.json.decode(body)
        namespace, name = str(asked["namespace"]), str(asked["name"])
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError) as error:
        raise Refused(400, "BadRequest", "namespace and name of a volume are wanted") from error
    if not (permission.is_name(namespace) and permission.is_name(name)):
        raise Refused(400, "BadName", "that is no name of a volume")
    wanted = {
        "metadata": {"generateName": "token-for-page-", "namespace": namespace},
        "spec": {"pvcName": name},
    }
    answer = await client.create(_TOKEN_REQUESTS, wanted)
    return {"token": objects.get(answer, "status", "token", default="")}


def _refused(error: errors.KubeError) -> Refused:
    if isinstance(error, errors.Unauthorized):
        return Refused(401, "Unauthorized", "the cluster does not know this token, or no longer")
    if isinstance(error, errors.ApiError):
        return Refused(error.code, error.reason or "Refused", str(error))
    log.warning("the API server cannot be asked", extra={"cause": str(error)})
    return Refused(503, "Unavailable", "the cluster cannot be asked at the moment", retry_after=5)
