"""
The process behind Service `cdi-api`: what is started in which order.

Up: the signing key is read or made; the server listens; caches and what is followed fill up; then
it is ready. Down: not ready, drained, caches ended. Whatever comes before the caches are full
waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cdi.api import labels
from cdi.kube import errors, objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.generatename import generated_name
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager, Work
from cdi.kube.resource import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS
from cdi.storage import tlsprofile
from cdi.storage.tlsprofile import TLSProfile
from cdi.web.admission import registry
from cdi.web.apiserver import answers, frontproxy
from cdi.web.apiserver.aggregated import UploadApi
from cdi.web.apiserver.frontproxy import FrontProxy
from cdi.web.apiserver.keystore import KeyStore
from cdi.web.apiserver.lookups import Lookups
from cdi.web.apiserver.servingcertificate import FollowedSecret
from cdi.web.apiserver.webhooks import Webhooks
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving.health import Health
from cdi.web.serving.metrics import Judge, Scrapes, reviewed
from cdi.web.serving.server import DRAIN, Address, WebServer
from cdi.web.serving.tls import Files, ServerTls
from cdi.web.tokens.signing import Tokens
from cdi.web.uploadtokens.request import TokenRequests

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the process belongs and what it shows."""

    namespace: str
    address: Address
    certificate: Files
    installed_by: Mapping[str, str]  # labels
    secret: str = ""  # with the certificate, which is followed; empty: only the files are
    drain: float = DRAIN


class FollowedProxy:
    """The front proxy as the cluster describes it now."""

    def __init__(self, client: Client) -> None:
        self._proxy: FrontProxy | None = None
        self.informer = Informer(
            client,
            CONFIG_MAPS,
            frontproxy.NAMESPACE,
            fields=f"metadata.name={frontproxy.CONFIG_MAP}",
        )
        self.informer.on_change(self._follow)

    def __call__(self) -> FrontProxy | None:
        return self._proxy

    def authority(self) -> str:
        """PEM, empty where there is none."""
        return self._proxy.authority if self._proxy else ""

    def _follow(self, change: Change) -> None:
        if change.new is None:
            self._proxy = None
            log.warning("nobody says any more who the front proxy is")
            return
        try:
            found = frontproxy.parse_config(change.new)
        except frontproxy.NoFrontProxy as error:
            log.warning("the front proxy is not known", extra={"cause": str(error)})
            return
        if found != self._proxy:
            self._proxy = found
            log.info("front proxy is known", extra={"names": list(found.names)})


class ApiServer:
    """All parts, over one client."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        metrics: ProcessMetrics,
        judge: Judge | None = None,
    ) -> None:
        """`judge` says who may read metrics; without it the client is asked about tokens."""
        self._client = client
        self._judge = judge or reviewed(client)
        self._settings = settings
        self._metrics = metrics
        self.keys = KeyStore(client, settings.namespace, settings.installed_by)
        self._lookups = Lookups(client)
        self._proxy = FollowedProxy(client)
        self._certificate: Files | FollowedSecret = settings.certificate
        if settings.secret:
            self._certificate = FollowedSecret(
                client, settings.namespace, settings.secret, settings.certificate
            )
        self.server = self._make_server()

    async def prepare(self) -> None:
        """What has to be there before anything is served. Raises keys.BadKeys, KubeError."""
        await self.keys.ensure()

    def add_to(self, manager: Manager) -> None:
        """Register all parts."""
        manager.add(Group.SERVERS, self.server)
        manager.add(Group.CACHES, *self._lookups.informers)
        manager.add(Group.CACHES, self._proxy.informer, self.keys.informer, self.keys)
        if isinstance(self._certificate, FollowedSecret):
            manager.add(Group.CACHES, self._certificate.informer)
        manager.add(Group.CONTROLLERS, Work("ready", _announce))

    async def ready(self) -> None:
        """Return once everything that is followed has been seen; asked while the parts run."""
        await self.server.ready()
        for informer in (*self._lookups.informers, self._proxy.informer, self.keys.informer):
            await informer.ready()

    def _make_server(self) -> WebServer:
        health = Health(
            {
                "caches": lambda: self._lookups.are_synced,
                "front proxy": lambda: self._proxy.informer.synced,
            }
        )
        app = web.Application(
            client_max_size=answers.LARGEST_BODY, middlewares=[answers.as_statuses]
        )
        for routes in (
            health.routes(),
            Scrapes(self._metrics.text, self._judge).routes(),
            self._webhooks().routes(),
            self._upload_api().routes(),
        ):
            app.router.add_routes(routes)
        tls = ServerTls(self._certificate, self._profile, self._proxy.authority)
        return WebServer(
            labels.API_SERVER, app, self._settings.address, tls, health, drain=self._settings.drain
        )

    def _webhooks(self) -> Webhooks:
        tokens = Tokens(self.keys)
        rules = registry.registrations(tokens.sign_clone, tokens.clone_of, generated_name)
        return Webhooks(rules, self._lookups, answers.Bodies(), self._metrics)

    def _upload_api(self) -> UploadApi:
        requests = TokenRequests(Tokens(self.keys).sign_upload, self._uid_of_claim)
        return UploadApi(self._client, requests, self._proxy, answers.Bodies())

    async def _uid_of_claim(self, namespace: str, name: str) -> str | None:
        try:
            found = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
        except errors.NotFound:
            return None
        return objects.uid(found)

    def _profile(self) -> TLSProfile:
        return tlsprofile.profile_for(objects.get(self._lookups.config, "spec"))


async def _announce(stop: asyncio.Event) -> None:
    """The last part to start: everything else is there by now."""
    log.info("ready")
    await stop.wait()
