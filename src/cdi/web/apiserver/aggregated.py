"""
The aggregated API upload.cdi.kubevirt.io over HTTP.

Whoever asks for documents may be anyone; a token is for users that the front proxy vouches for
and who may create UploadTokenRequests in the namespace, which the API server is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from cdi.kube import errors, reviews
from cdi.kube.client import Client
from cdi.kube.reviews import Action, User
from cdi.web import statuses
from cdi.web.apiserver import answers, frontproxy
from cdi.web.apiserver.frontproxy import FrontProxy
from cdi.web.uploadtokens import documents
from cdi.web.uploadtokens.request import SERVED, TokenRequests

log = logging.getLogger(__name__)

_ACCEPTED: Final = ("application/json", "application/*", "*/*", "")
_AGGREGATED: Final = ("v2", "v2beta1")  # forms of the aggregated discovery document
_LOCAL: Final = ("/healthz", "/readyz")


class UploadApi:
    """The group, its documents, and its one operation."""

    def __init__(
        self,
        client: Client,
        requests: TokenRequests,
        proxy: Callable[[], FrontProxy | None],
        bodies: answers.Bodies,
    ) -> None:
        self._client = client
        self._requests = requests
        self._proxy = proxy
        self._bodies = bodies

    def routes(self) -> list[web.RouteDef]:
        """All addresses."""
        shown = {
            documents.GROUP_PATH: _shows(documents.group),
            documents.VERSION_PATH: _shows(documents.resources),
            "/apis": _groups,
            "/apis/": _groups,
            "/openapi/v2": _shows(documents.openapi_v2),
            "/openapi/v3": _shows(documents.openapi_index),
            documents.OPENAPI_V3_PATH: _openapi_v3,
        }
        paths = [*shown, *_LOCAL]
        shown["/"] = _shows(lambda: documents.root_paths(paths))
        create = documents.COLLECTION_PATH.replace("{namespace}", "{namespace:[a-z0-9][a-z0-9-]*}")
        return [
            *(web.get(path, handler) for path, handler in shown.items()),
            web.post(create, self._create),
        ]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info["namespace"]
        user = frontproxy.user_of(self._proxy(), _shown_by(request), request.headers.items())
        await self._insist_on_permission(user, namespace)
        if not _accepts_json(request):
            raise statuses.not_acceptable()
        posted = await self._bodies.document(request)
        validation = request.query.get("fieldValidation", "")
        answer = await self._requests.create(posted, namespace, validation)
        log.info(
            "upload token issued",
            extra={
                "object": f"{namespace}/{answer.document['spec']['pvcName']}",
                "user": user.name,
            },
        )
        response = answers.document(answer.document)
        for warning in answer.warnings:
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    async def _insist_on_permission(self, user: User, namespace: str) -> None:
        action = Action(
            "create",
            SERVED.group,
            SERVED.storage_version,
            SERVED.plural,
            namespace=namespace,
        )
        try:
            verdict = await reviews.may(self._client, user, action)
        except errors.KubeError as error:
            log.warning("permission cannot be asked for", extra={"cause": str(error)})
            raise statuses.internal(f"permission could not be asked for: {error}") from error
        if not verdict.allowed:
            log.info(
                "upload token refused",
                extra={"namespace": namespace, "user": user.name, "cause": verdict.reason},
            )
            why = f": {verdict.reason}" if verdict.reason else ""
            raise statuses.forbidden(
                f'{SERVED.name} is forbidden: User "{user.name}" cannot create resource '
                f'"{SERVED.plural}" in API group "{SERVED.group}" in the namespace '
                f'"{namespace}"{why}'
            )


def _shows(
    make: Callable[[], documents.Object],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def show(request: web.Request) -> web.StreamResponse:
        del request
        return answers.document(make())

    return show


async def _groups(request: web.Request) -> web.StreamResponse:
    if version := _aggregated_version(request.headers.get("Accept", "")):
        media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        return answers.document(documents.aggregated(version), media)
    return answers.document(documents.groups())


async def _openapi_v3(request: web.Request) -> web.StreamResponse:
    tag = f'"{documents.openapi_tag()}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    response = answers.document(documents.openapi_v3())
    response.headers["ETag"] = tag
    return response


def _shown_by(request: web.Request) -> str | None:
    """The common name of the client certificate that TLS has verified."""
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    if not certificate:
        return None
    names = (pair for part in certificate.get("subject", ()) for pair in part)
    return next((value for key, value in names if key == "commonName"), "")


def _accepts_json(request: web.Request) -> bool:
    header = request.headers.get("Accept", "")
    ranges = (item.partition(";")[0].strip().lower() for item in header.split(","))
    return any(media in _ACCEPTED for media in ranges)


def _aggregated_version(accept: str) -> str:
    """The form of the aggregated document that the client prefers, or empty."""
    for item in accept.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media != "application/json":
            continue
        if wanted.get("as") == "APIGroupDiscoveryList" and wanted.get("v") in _AGGREGATED:
            return wanted["v"]
        if "as" not in wanted:
            return ""
    return ""
