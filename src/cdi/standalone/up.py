"""
CDI on one machine: an API server, volumes, a node agent and CDI's controllers in one process.

Here: what is started in which order, over one data directory. Elsewhere: the parts, and the
command that runs this (`cdi.cli.up`).

    data_dir/
        state.db, lock, pki/, kubeconfig    the API server
        volumes/<PersistentVolume>/         data
        pods/<uid>/                         running workers
        logs/                               cdi.log, and what each worker wrote

Up: lock and API server with our kinds and rules; then, through its API alone, event recorders,
the node, the upload proxy, caches, controllers. Down: in reverse; workers write their journals and
leave. Nothing is lost by dying instead: the kernel tells the workers, the next start takes over
what they left.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cdi.api import crds
from cdi.bootsources import common
from cdi.bootsources.setup import BootSources
from cdi.controllers.settings import Settings as ControllerSettings
from cdi.controllers.setup import Parts, controllers
from cdi.images.confined import sandbox, walls
from cdi.kube import connection, transport
from cdi.kube.client import Client
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager, Work
from cdi.standalone import admission, installation, uploads, uploadtokens
from cdi.standalone.agent import agent, node, workeruser
from cdi.standalone.agent.logs import Logs
from cdi.standalone.agent.settings import Settings as AgentSettings
from cdi.standalone.agent.workeruser import WorkerUser
from cdi.standalone.apiserver.server import ApiServer, Hooks, Listen
from cdi.standalone.jobs.runner import Runner
from cdi.standalone.lookups import Lookups
from cdi.standalone.signingkey import SigningKey
from cdi.standalone.volumes import binder, snapshotkinds, snapshotter
from cdi.standalone.volumes.caches import Caches
from cdi.storage.config import Upload
from cdi.volumes.pool import Pool
from cdi.volumes.snapshots import Snapshots
from cdi.web.serving.server import Address
from cdi.web.tokens.clones import CloneTokens
from cdi.web.tokens.signing import Tokens

log = logging.getLogger(__name__)

# Our pods name it, and the agent runs no other: it stands for this very installation.
WORKER_IMAGE: Final = "cdi-worker:local"
# Stands for this machine's directory with VMware's library.
VDDK_IMAGE: Final = "vddk:local"

# Server and clients share a process and a machine: there is nobody to be considerate of.
_CLIENT: Final = transport.Settings(user_agent="cdi-up", rate=2000.0, burst=4000)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is kept and found, and where the API is served."""

    data_dir: Path
    listen: Listen = field(default_factory=Listen)
    listen_for_uploads: Address | None = None  # None: beside the API
    stall_timeout: float | None = None  # seconds; None: as the workers have it
    require_walls: bool = False  # end rather than run workers or their tools without
    vddk_library: Path | None = None  # directory of VMware's library, for imports from vSphere
    boot_images: Path | None = None  # templates of common boot images; None: those of CDI


class Unconfined(Exception):
    """A wall around workers is missing that was demanded."""


@dataclass(slots=True)
class Callbacks:
    """Told how far the start is; `serving` with the path of the kubeconfig."""

    serving: Callable[[Path], None] = lambda _: None
    ready: Callable[[], None] = lambda: None


class Standalone:
    """One machine. `run` is all there is to do."""

    def __init__(self, settings: Settings, callbacks: Callbacks | None = None) -> None:
        self._settings = settings
        self._callbacks = callbacks or Callbacks()
        self._logs = Logs(settings.data_dir / "logs")
        self._key = SigningKey(settings.data_dir / "pki" / "clonetokens.key")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises store.errors.Locked, OSError, or what failed."""
        async with AsyncExitStack() as stack:
            server = self._server()
            await stack.enter_async_context(server)
            self._callbacks.serving(server.kubeconfig)
            client = await stack.enter_async_context(self._client(server))
            manager = await self._manager(client, self._uploads(server))
            await manager.run(stop)

    def _server(self) -> ApiServer:
        place = self._settings.data_dir
        hooks = Hooks(definitions=(*crds.all(), *snapshotkinds.definitions()))
        self._logs.register(hooks.subresources)
        tokens = Tokens(self._key)
        look = Lookups(lambda: server.objects)
        admission.install(hooks.admission, tokens, look)
        hooks.unstored = (uploadtokens.unstored(tokens, look),)
        settings = self._settings
        hosts = {settings.listen.host, (settings.listen_for_uploads or settings.listen).host}
        server = ApiServer(place, settings.listen, names=_names(hosts), hooks=hooks)
        return server

    def _client(self, server: ApiServer) -> Client:
        keys = self._settings.data_dir / "pki"
        token = (keys / "token").read_text(encoding="ascii").strip()
        credentials = connection.direct(server.url, token, str(keys / "ca.crt"))
        return Client.to(credentials, _CLIENT, field_manager="cdi-up")

    def _uploads(self, server: ApiServer) -> uploads.Place:
        host = self._settings.listen.host
        found = self._settings.listen_for_uploads
        address = found or uploads.address_beside(host, urlsplit(server.url).port or 0)
        name = address.host if is_loopback(address.host) else socket.gethostname()
        keys = self._settings.data_dir / "pki"
        return uploads.Place(address, name, keys, server.url)

    async def _manager(self, client: Client, place: uploads.Place) -> Manager:
        manager = Manager()
        await binder.ensure_classes(client)
        await snapshotter.ensure_class(client)
        await installation.ensure(client)
        seen = Caches.on(client)
        self._add_machine(manager, client, seen)
        jobs = Runner(client, seen.pods)
        jobs.register(manager)
        # What the machine watches anyway need not be watched, and kept, twice.
        shared = {
            "claims": seen.claims,
            "volumes": seen.volumes,
            "classes": seen.classes,
            "pods": seen.pods,
            "snapshots": seen.snapshots,
            "snapshot_contents": seen.snapshot_contents,
            "snapshot_classes": seen.snapshot_classes,
            "cron_jobs": jobs.cron_jobs,
            "jobs": jobs.jobs,
        }
        settings = ControllerSettings(
            worker_image=WORKER_IMAGE,
            nodes_pull=False,
            spread_polls=False,  # the CronJobs of one machine start one after the other
            stall_timeout=self._settings.stall_timeout,
            vddk_image=VDDK_IMAGE if self._settings.vddk_library else "",
            upload=Upload(place.url, place.authority),
        )
        namespace = settings.namespace
        manager.add(Group.SERVERS, uploads.Keeper(client, namespace))
        manager.add(Group.SERVERS, uploads.proxy(client, seen.pods, self._key, namespace, place))
        tokens = CloneTokens(self._key)
        parts = await controllers(client, settings, given=shared, tokens=tokens)
        parts.add_to(manager)
        self._add_boot_sources(manager, client, seen, parts)
        manager.add(Group.LEADER, Work("ready", self._announce))
        return manager

    def _add_boot_sources(
        self, manager: Manager, client: Client, seen: Caches, parts: Parts
    ) -> None:
        given = {
            "claims": seen.claims,
            "nodes": seen.nodes,
            **{name: parts.watches.of(name) for name in ("crons", "data_sources", "installations")},
        }
        shipped = common.shipped_with(self._settings.boot_images)
        BootSources(client, shipped, given=given).add_to(manager)

    def _add_machine(self, manager: Manager, client: Client, seen: Caches) -> None:
        """What a cluster's volume controllers and its node would do."""
        place = self._settings.data_dir
        user, missing = self._walls()
        pool = Pool(place / "volumes", user=(user.uid, user.gid) if user else None)
        pool.ensure()
        pool.tidy()
        Snapshots(pool).tidy()
        of_volumes = Recorder(client, binder.COMPONENT)
        of_pods = Recorder(client, agent.COMPONENT)
        manager.add(Group.SUPPORT, of_volumes, of_pods)
        manager.add(Group.CACHES, *seen.all())
        binder.Binder(client, seen, pool, of_volumes, node.NAME).register(manager)
        snapshotter.Snapshotter(client, seen, pool, of_volumes).register(manager)
        settings = AgentSettings(
            place,
            frozenset({WORKER_IMAGE}),
            vddk_library=self._settings.vddk_library,
            user=user,
            missing_walls=missing,
            require_walls=self._settings.require_walls,
        )
        agent.Agent(client, seen, pool, of_pods, self._logs, settings).register(manager)

    def _walls(self) -> tuple[WorkerUser | None, str]:
        """The user for workers, and what is missing around them. Raises Unconfined."""
        user, why_not = workeruser.find(self._settings.data_dir)
        lacks = [f"workers run as root, as they cannot be a user of their own ({why_not})"]
        if missing := sandbox.missing_walls():
            lacks.append(walls.words(missing))
        missing_walls = "; ".join(lacks if why_not else lacks[1:])
        if missing_walls and self._settings.require_walls:
            raise Unconfined(f"{missing_walls}: run it elsewhere, or without --require-walls")
        if missing_walls:
            log.warning("walls around workers are missing", extra={"missing": missing_walls})
        return user, missing_walls

    async def _announce(self, stop: asyncio.Event) -> None:
        """The last part to start: everything else is at work by now."""
        self._callbacks.ready()
        log.info("ready", extra={"data_dir": str(self._settings.data_dir)})
        await stop.wait()


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can connect to an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(hosts: Iterable[str]) -> tuple[str, ...]:
    """The names by which others may reach us, for the certificate."""
    alone = all(is_loopback(host) for host in hosts)
    return () if alone else (socket.gethostname(), socket.getfqdn())
