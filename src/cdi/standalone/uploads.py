"""
Uploads on one machine: certificates, where servers are, and the proxy in front of them.

The certificates are in the API as on a cluster, in the installation's namespace, where the upload
controller looks for them; the proxy shows that of the API server, which a kubeconfig trusts.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.api import names
from cdi.kube import connection, errors, objects, tasks
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.informer import Informer
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS, SERVICES
from cdi.operator.certificates import chains
from cdi.operator.certificates.sync import Certificates
from cdi.storage import lifetimes
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import Files
from cdi.web.tokens.keys import Keys
from cdi.web.uploadproxy import server
from cdi.web.uploadproxy.endpoints import PORT, Endpoint, NoEndpoint
from cdi.web.uploadproxy.identity import Identity
from cdi.web.uploadproxy.server import Parts, upload_proxy

_CHAINS: Final = (chains.UPLOAD_SERVER, chains.UPLOAD_CLIENT)
_AGAIN: Final = 1.0  # seconds, after a failure
_FIRST_PORT: Final = 1024


class Keeper:
    """Keeps the certificates of uploads in the API; a part for a manager, ready once they exist."""

    def __init__(self, client: Client, namespace: str, clock: Clock | None = None) -> None:
        self.name = "certificates of uploads"
        self._clock = clock or SystemClock()
        self._certificates = Certificates(client, namespace, {}, self._clock, _CHAINS)
        self._made = asyncio.Event()

    async def ready(self) -> None:
        await self._made.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Renew what is due until `stop`."""
        await tasks.until(stop, self._keep())

    async def _keep(self) -> None:
        while True:
            try:
                pause = await self._certificates.sync(lifetimes.DEFAULT)
                self._made.set()
            except (errors.KubeError, OSError):
                if not self._made.is_set():
                    raise
                pause = _AGAIN
            await self._clock.sleep(max(pause, _AGAIN))


class ServiceEndpoints:
    """Upload servers of this machine: a Service selects a pod, which has an address of its own."""

    def __init__(self, client: Client, pods: Informer) -> None:
        self._client, self._pods = client, pods

    async def locate(self, namespace: str, service: str) -> Endpoint:
        """Raises NoEndpoint."""
        name = f"{service}.{namespace}.svc"
        try:
            found = await self._client.get(SERVICES, service, namespace)
        except errors.NotFound as error:
            raise NoEndpoint(f"there is no Service {service} in namespace {namespace}") from error
        selector: dict[str, str] = objects.get(found, "spec", "selector", default={})
        for pod in self._pods.cache.list():
            if objects.namespace(pod) == namespace and _is_behind(pod, selector):
                return Endpoint(str(pod["status"]["podIP"]), PORT, name)
        raise NoEndpoint(f"no pod behind Service {service} in namespace {namespace} is ready")


def _is_behind(pod: Object, selector: dict[str, str]) -> bool:
    conditions = objects.get(pod, "status", "conditions", default=[])
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    has_address = bool(objects.get(pod, "status", "podIP"))
    return (
        ready and has_address and bool(selector) and selector.items() <= objects.labels(pod).items()
    )


class StoredIdentity:
    """What the proxy shows upload servers, and whom it believes: from the API."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    async def __call__(self) -> Identity:
        secret = await self._client.get(SECRETS, names.UPLOAD_CLIENT_CERTIFICATE, self._namespace)
        bundle = await self._client.get(CONFIG_MAPS, names.UPLOAD_SERVER_BUNDLE, self._namespace)
        data = {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}
        authorities = str(objects.get(bundle, "data", names.BUNDLE_KEY, default=""))
        return Identity(data["tls.crt"], data["tls.key"], authorities)


@dataclass(frozen=True, slots=True)
class Place:
    """Where uploads are taken, and by which name people reach it."""

    address: Address
    name: str
    keys: Path  # directory with the API server's certificates
    api: str  # the API server's own URL, where the page asks as whoever looks at it

    @property
    def url(self) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"https://{host}:{self.address.port}"

    @property
    def authority(self) -> str:
        """The certificate of whom clients have to trust, as PEM."""
        return (self.keys / "ca.crt").read_text(encoding="ascii").strip()


def proxy(client: Client, pods: Informer, keys: Keys, namespace: str, place: Place) -> WebServer:
    """The upload proxy, as a part for a manager."""
    parts = Parts(
        client,
        ServiceEndpoints(client, pods),
        keys,
        StoredIdentity(client, namespace),
        ProcessMetrics(),
        callers=connection.direct(place.api, ca_file=str(place.keys / "ca.crt")),
    )
    shown = Files(place.keys / "server.crt", place.keys / "server.key")
    return upload_proxy(parts, server.Settings(place.address, shown, drain=0.0))


def address_beside(host: str, port: int) -> Address:
    """An address for uploads: the port after the API's if it is free, any free one otherwise."""
    for wanted in (port + 1, 0) if port >= _FIRST_PORT else (0,):
        with contextlib.suppress(OSError):
            return Address(host, _free_port(host, wanted))
    raise OSError(f"no port of {host} is free")


def _free_port(host: str, wanted: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, wanted))
        return int(probe.getsockname()[1])
