"""
`cdi apiserver` in the test's own loop, over an embedded API without rules of its own; and a front
proxy that vouches for users.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.api import crds
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.manager import Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.standalone.apiserver.server import Hooks
from cdi.web.apiserver.server import ApiServer, Settings
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving.server import Address
from support import apiserver, serving

NAMESPACE = "cdi"
TOKENS = "/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/{}/uploadtokenrequests"
AUTHENTICATION = "/api/v1/namespaces/kube-system/configmaps"
USER = {"X-Remote-User": "alice", "X-Remote-Group": "users"}


def front_proxy_config(authority: str, names: list[str]) -> dict[str, Any]:
    """What Kubernetes says about its front proxy."""
    return apiserver.config_map(
        "extension-apiserver-authentication",
        **{
            "client-ca-file": "not ours",
            "requestheader-client-ca-file": authority,
            "requestheader-allowed-names": json.dumps(names),
            "requestheader-username-headers": '["X-Remote-User"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        },
    )


def hooks() -> Hooks:
    return Hooks(definitions=crds.all())


@dataclass
class Kubernetes:
    """The embedded API with what an installation finds there."""

    server: apiserver.Running
    authority: pki.Pair = field(default_factory=lambda: serving.authority("front-proxy-ca"))

    def prepare(self) -> None:
        """Say who the front proxy is; the namespace of the installation is there."""
        config = front_proxy_config(self.authority.certificate, ["front-proxy-client"])
        self.server.create(AUTHENTICATION, config)

    def allow(self, user: str, *rules: dict[str, Any]) -> None:
        """Let a user do this everywhere."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        self.server.create(
            f"{rbac}/clusterroles", {"metadata": {"name": user}, "rules": list(rules)}
        )
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
        self.server.create(f"{rbac}/clusterrolebindings", binding)

    def secret(self, name: str) -> dict[str, str]:
        """The entries of a Secret of the installation."""
        found = self.server.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
        return {key: base64.b64decode(text).decode() for key, text in found["data"].items()}

    def credentials(self) -> connection.Credentials:
        directory = self.server.kubeconfig.parent
        return connection.direct(
            self.server.url, self.server.token, str(directory / "pki" / "ca.crt")
        )


@dataclass
class Running:
    """Our server, asked as Kubernetes asks it."""

    api: ApiServer
    signer: pki.Pair
    kubernetes: Kubernetes
    folder: Path

    def signing_key(self) -> rsa.RSAPrivateKey:
        """The key with which it signs now."""
        return self.api.keys.signing()

    def url(self, path: str) -> str:
        return f"https://{serving.HOST}:{self.api.server.port}{path}"

    def context(self, name: str | None = None, by: pki.Pair | None = None) -> ssl.SSLContext:
        """Shows a client certificate of this name, by the front proxy's authority."""
        shown = None
        if name is not None:
            authority = by or self.kubernetes.authority
            shown = pki.issue(authority, name, pki.Use.CLIENT, serving.now(), serving.DAY)
        return serving.client_context(self.signer, shown, self.folder / "client")

    @asynccontextmanager
    async def client(
        self, name: str | None = None, by: pki.Pair | None = None
    ) -> AsyncIterator[aiohttp.ClientSession]:
        async with serving.session(self.context(name, by)) as made:
            yield made

    async def asked(
        self, method: str, path: str, *, shown: str | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Status and document of one request."""
        async with (
            self.client(shown) as client,
            client.request(method, self.url(path), **options) as answer,
        ):
            if answer.content_type != "application/json":
                return answer.status, await answer.text()
            return answer.status, await answer.json()

    async def token_request(
        self, document: Any, namespace: str = "vms", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Ask for a token through the front proxy."""
        path = TOKENS.format(namespace)
        sent = USER if headers is None else headers
        return await self.asked(
            "POST", path, shown="front-proxy-client", json=document, headers=sent
        )


@asynccontextmanager
async def running(kubernetes: Kubernetes, folder: Path) -> AsyncIterator[Running]:
    """Start it, wait until it is ready, stop it at the end."""
    signer = serving.authority("cdi-apiserver-signer")
    files = serving.written(folder / "server", serving.server_pair(signer))
    settings = Settings(NAMESPACE, Address("127.0.0.1", 0), files, {}, drain=0.0)
    transport = TransportSettings(rate=1000.0, burst=1000, attempts=1)
    async with Client.to(kubernetes.credentials(), transport) as client:
        api = ApiServer(client, settings, ProcessMetrics())
        await api.prepare()
        manager, stop = Manager(), asyncio.Event()
        api.add_to(manager)
        ended = asyncio.ensure_future(manager.run(stop))
        ready = asyncio.ensure_future(api.ready())
        await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield Running(api, signer, kubernetes, folder)
        finally:
            stop.set()
            await ended
