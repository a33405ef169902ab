"""
Addresses of the API server that are no resources: health, version, discovery, OpenAPI, metrics.

Whether somebody may see them is decided before (`server`).
"""

import platform
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from cdi.standalone.apiserver import metrics, negotiation, openapi_v2, status
from cdi.standalone.apiserver.discovery import Discovery
from cdi.standalone.apiserver.openapi import OpenApi
from cdi.standalone.schema import registry

Document = dict[str, Any]
Page = Callable[[web.Request], Awaitable[web.StreamResponse]]

KUBERNETES_VERSION = ("1", "32")  # the API level whose behaviour is offered
AGGREGATED = ("v2", "v2beta1")
HEALTH = ("healthz", "livez", "readyz")
# A server that answers has a store, or it would not have started.
HEALTH_PARTS = ("ping", "store")


class Pages:
    """What answers at each of them."""

    def __init__(
        self,
        discovery: Discovery,
        openapi: OpenApi,
        *,
        metrics: Callable[[], str],
        url: Callable[[], str],
    ) -> None:
        """`metrics` gives the text of now; `url` is known once the server listens."""
        self._discovery, self._openapi = discovery, openapi
        self._metrics_text, self._url = metrics, url

    def addresses(self) -> dict[str, Page]:
        """By path, as patterns of `aiohttp`."""
        return {
            "/": self._root,
            "/metrics": self._metrics,
            **{f"/{check}": self._health for check in HEALTH},
            **{f"/{check}/{{part}}": self._health_of_part for check in HEALTH},
            "/version": self._version,
            "/version/": self._version,
            "/api": self._core_versions,
            "/api/": self._core_versions,
            "/apis": self._groups,
            "/apis/": self._groups,
            "/api/{version}": self._resources,
            "/api/{version}/": self._resources,
            "/apis/{group}": self._group,
            "/apis/{group}/": self._group,
            "/apis/{group}/{version}": self._resources,
            "/apis/{group}/{version}/": self._resources,
            "/openapi/v2": self._openapi_v2,
            "/openapi/v3": self._openapi_index,
            "/openapi/v3/{path:.+}": self._openapi_document,
        }

    async def _root(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 (a handler)
        plain = [path for path in self.addresses() if "{" not in path and path != "/"]
        served = [f"/apis/{group['name']}" for group in self._discovery.groups()["groups"]]
        return web.json_response({"paths": sorted([*plain, "/api/v1", *served])})

    async def _metrics(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(
            body=self._metrics_text().encode(), headers={"Content-Type": metrics.CONTENT_TYPE}
        )

    async def _health(self, request: web.Request) -> web.StreamResponse:
        if "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [f"[+]{part} ok" for part in HEALTH_PARTS]
        check = request.path.strip("/")
        return web.Response(text="\n".join([*lines, f"{check} check passed", ""]))

    async def _health_of_part(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["part"] not in HEALTH_PARTS:
            raise status.no_such_path()
        return web.Response(text="ok")

    async def _version(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        major, minor = KUBERNETES_VERSION
        return web.json_response(
            {
                "major": major,
                "minor": minor,
                "gitVersion": f"v{major}.{minor}.0+cdi",
                "gitCommit": "",
                "gitTreeState": "clean",
                "buildDate": "1970-01-01T00:00:00Z",
                "goVersion": "",
                "compiler": f"python{platform.python_version()}",
                "platform": f"linux/{platform.machine()}",
            }
        )

    async def _core_versions(self, request: web.Request) -> web.StreamResponse:
        if version := _aggregated_version(request):
            return _aggregated(self._discovery.aggregated(core=True, version=version), version)
        address = self._url().removeprefix("https://")
        return web.json_response(self._discovery.core_versions(address))

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        if version := _aggregated_version(request):
            return _aggregated(self._discovery.aggregated(core=False, version=version), version)
        return web.json_response(self._discovery.groups())

    async def _group(self, request: web.Request) -> web.StreamResponse:
        group = request.match_info["group"]
        return _found(self._discovery.group(group), group)

    async def _resources(self, request: web.Request) -> web.StreamResponse:
        place = request.match_info
        group = place.get("group", "")
        return _found(self._discovery.resources(group, place["version"]), group)

    async def _openapi_v2(self, request: web.Request) -> web.StreamResponse:
        if "protobuf" in request.headers.get("Accept", ""):
            return web.Response(body=openapi_v2.document(), content_type=openapi_v2.CONTENT_TYPE)
        return web.json_response(openapi_v2.as_json())

    async def _openapi_index(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        return web.json_response(self._openapi.index())

    async def _openapi_document(self, request: web.Request) -> web.StreamResponse:
        tag = f'"{self._openapi.tag()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        body = self._openapi.document(request.match_info["path"])
        if body is None:
            raise status.no_such_path()
        response = web.Response(body=body, content_type="application/json", headers={"ETag": tag})
        response.enable_compression()
        return response


def nothing_in(group: str) -> status.ApiError:
    """The error for what a group does not have: nobody looks after groups that are unknown."""
    return status.no_such_path() if group in registry.builtin_groups() else status.NoPage()


def _aggregated_version(request: web.Request) -> str:
    """The version of the aggregated document that the client prefers, or empty."""
    accept = request.headers.get("Accept", "")
    for wanted in negotiation.parameters_of(accept, "application/json"):
        if wanted.get("as") == "APIGroupDiscoveryList" and wanted.get("v") in AGGREGATED:
            return wanted["v"]
        if "as" not in wanted:
            return ""
    return ""


def _aggregated(document: Document, version: str) -> web.Response:
    response = web.Response(body=negotiation.View().render(document))
    response.headers["Content-Type"] = (
        f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    )
    response.enable_compression()
    return response


def _found(document: Document | None, group: str) -> web.Response:
    if document is None:
        raise nothing_in(group)
    return web.json_response(document)
