"""The driver of a node, wired, as parts for a `cdi.kube` manager."""

from __future__ import annotations

import asyncio

from cdi.hostpath.csi.controller import Controller
from cdi.hostpath.csi.identity import Identity
from cdi.hostpath.csi.node import Node
from cdi.hostpath.csi.registration import registration_server
from cdi.hostpath.csi.server import SocketServer, services
from cdi.hostpath.keeper import Keeper
from cdi.hostpath.pools import HostPool
from cdi.hostpath.provisioning.backend import DriverBackend
from cdi.hostpath.provisioning.capacities import Capacities
from cdi.hostpath.provisioning.claims import Rules
from cdi.hostpath.provisioning.legacy import HOST_NAME, LegacyBackend, LegacySettings
from cdi.hostpath.provisioning.provisioner import Provisioner
from cdi.hostpath.provisioning.snapshots import SnapshotTaker
from cdi.hostpath.provisioning.watches import Watches
from cdi.hostpath.settings import DriverSettings
from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.clock import SystemClock
from cdi.kube.controller import Metrics
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.resource import NODES


class Keeping:
    """The keeper as a part: prepared before anybody is answered, and ended after all are."""

    name = "volumes"

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._prepared = asyncio.Event()

    async def ready(self) -> None:
        await self._prepared.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep volumes until `stop`; what is being copied then ends."""
        await self._keeper.start()
        self._prepared.set()
        await stop.wait()
        await self._keeper.stop()


def add_driver(manager: Manager, settings: DriverSettings) -> Keeper:
    """Register all parts of the driver; return who keeps its volumes."""
    keeper = Keeper(HostPool(each) for each in settings.pools)
    driver = settings.driver
    offered = services(Identity(driver), Controller(driver, keeper), Node(driver, keeper))
    manager.add(Group.SUPPORT, Keeping(keeper))
    manager.add(Group.SERVERS, SocketServer("driver", settings.socket, offered))
    if settings.registering is not None:
        where = settings.registering
        # After the driver's own socket: the kubelet calls it as soon as it knows where.
        manager.add(
            Group.CONTROLLERS, registration_server(where.directory, driver.name, where.endpoint)
        )
    return keeper


def add_provisioner(
    manager: Manager,
    client: Client,
    settings: DriverSettings,
    keeper: Keeper,
    metrics: Metrics | None = None,
) -> None:
    """Register what serves claims and snapshots of the driver, in place of sidecars."""
    driver, clock = settings.driver, SystemClock()
    watches = Watches.on(client, clock)
    recorder = Recorder(client, driver.name, instance=driver.node, clock=clock)
    rules = Rules(driver.name, driver.node)
    manager.add(Group.SUPPORT, recorder)
    manager.add(Group.CACHES, *watches.all())
    backend = DriverBackend(driver, keeper)
    Provisioner(client, watches, backend, rules, recorder).register(manager, metrics)
    SnapshotTaker(client, watches, keeper, rules, recorder, clock).register(manager)
    if settings.place is not None:
        published = Capacities(client, watches, keeper, driver, settings.place, clock)
        manager.add(Group.CONTROLLERS, published)


async def add_legacy_provisioner(
    manager: Manager, client: Client, settings: LegacySettings, metrics: Metrics | None = None
) -> None:
    """Register all parts of the legacy provisioner."""
    clock = SystemClock()
    node = await client.get(NODES, settings.node)
    backend = LegacyBackend(settings, objects.labels(node).get(HOST_NAME, settings.node))
    await asyncio.to_thread(backend.prepare)
    watches = Watches.on(client, clock)
    recorder = Recorder(client, settings.name, instance=settings.node, clock=clock)
    rules = Rules(
        settings.name, settings.node, block=False, competes=False, grows=False, shares=False
    )
    manager.add(Group.SUPPORT, recorder)
    manager.add(Group.CACHES, *watches.all())
    Provisioner(client, watches, backend, rules, recorder).register(manager, metrics)
