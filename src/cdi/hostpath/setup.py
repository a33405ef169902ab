"""The driver of a node, wired, as parts for a `cdi.kube` manager."""

from __future__ import annotations

import asyncio

from cdi.hostpath.csi.controller import Controller
from cdi.hostpath.csi.identity import Driver, Identity
from cdi.hostpath.csi.node import Node
from cdi.hostpath.csi.registration import registration_server
from cdi.hostpath.csi.server import SocketServer, services
from cdi.hostpath.keeper import Keeper
from cdi.hostpath.pools import HostPool
from cdi.hostpath.provisioning.backend import DriverBackend
from cdi.hostpath.provisioning.claims import Rules
from cdi.hostpath.provisioning.provisioner import Provisioner
from cdi.hostpath.provisioning.watches import Watches
from cdi.hostpath.settings import DriverSettings
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager


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
    manager: Manager, client: Client, driver: Driver, keeper: Keeper, clock: Clock | None = None
) -> None:
    """Register what makes volumes of the driver for claims, in place of sidecars."""
    clock = clock or SystemClock()
    watches = Watches.on(client, clock)
    recorder = Recorder(client, driver.name, instance=driver.node, clock=clock)
    rules = Rules(driver.name, driver.node)
    provisioner = Provisioner(client, watches, DriverBackend(driver, keeper), rules, recorder)
    manager.add(Group.SUPPORT, recorder)
    manager.add(Group.CACHES, *watches.all())
    provisioner.register(manager)
