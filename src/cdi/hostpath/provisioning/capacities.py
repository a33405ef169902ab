"""
How much room this node has for volumes of each class: CSIStorageCapacity objects.

They are for the scheduler: one object a class, in the driver's namespace, owned by the driver's pod
if it runs in one. They are brought up to date now and then, whenever a class changes, and when a
pool that was missing is there: pods that want volumes of it are not scheduled before.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import quantity
from cdi.hostpath.csi.identity import TOPOLOGY_KEY, Driver
from cdi.hostpath.csi.requests import pool_of
from cdi.hostpath.keeper import Keeper, NoSuchPool
from cdi.hostpath.pools import rounded
from cdi.hostpath.provisioning.watches import Watches
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock, wait_for
from cdi.kube.objects import Object
from cdi.kube.resource import PODS, Resource

log = logging.getLogger(__name__)

CAPACITIES: Final = Resource("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity")
_DRIVER_LABEL: Final = "csi.storage.k8s.io/drivername"
_KEEPER_LABEL: Final = "csi.storage.k8s.io/managed-by"
_EVERY: Final = 60.0  # seconds: as often as the stock sidecar looks
_SOON: Final = 2.0  # seconds between two looks for a missing pool, which ask nobody


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects are."""

    namespace: str
    pod: str = ""  # that owns them


class Capacities:
    """Publishes how much room there is. A part for a manager."""

    def __init__(
        self,
        client: Client,
        watches: Watches,
        keeper: Keeper,
        driver: Driver,
        place: Place,
        clock: Clock,
    ) -> None:
        self.name = "capacities"
        self._client, self._watches, self._keeper = client, watches, keeper
        self._driver, self._place, self._clock = driver, place, clock
        self._news = asyncio.Event()
        watches.classes.on_change(lambda _: self._news.set())

    async def ready(self) -> None:
        """Nobody waits for it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`."""
        while not stop.is_set():
            self._news.clear()
            try:
                await self._publish()
            except errors.KubeError as error:
                log.warning("capacity is not published", extra={"cause": str(error)})
            await self._sleep(stop)

    async def _sleep(self, stop: asyncio.Event) -> None:
        either = asyncio.Event()
        waits = [asyncio.ensure_future(_set_after(each, either)) for each in (stop, self._news)]
        waits.append(asyncio.ensure_future(self._set_when_pools_come(either)))
        try:
            await wait_for(self._clock, _EVERY, either)
        finally:
            for wait in waits:
                wait.cancel()

    async def _set_when_pools_come(self, either: asyncio.Event) -> None:
        missing = before = await self._missing()
        while missing and missing == before:
            await self._clock.sleep(_SOON)
            missing = await self._missing()
        if before:
            either.set()

    async def _missing(self) -> set[str]:
        """The pools that are not there."""
        found = set()
        for name, pool in self._keeper.pools.items():
            try:
                await self._keeper.space(pool)
            except OSError:
                found.add(name)
        return found

    async def _publish(self) -> None:
        labels = {_DRIVER_LABEL: self._driver.name, _KEEPER_LABEL: f"hostpath-{self._driver.node}"}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = await self._client.list(CAPACITIES, self._place.namespace, labels=selector)
        there = {objects.name(each): each for each in found}
        owner = await self._owner()
        for storage_class in self._watches.classes.cache.list():
            room = await self._room(storage_class)
            if room is None:
                continue
            wanted = self._object(storage_class, labels, owner, room)
            await self._write(there.pop(objects.name(wanted), None), wanted)
        for left in there.values():
            await apply.ensure_absent(self._client, CAPACITIES, left)

    async def _room(self, storage_class: Object) -> dict[str, str] | None:
        """What a class has here, None for classes that are not of this node's pools."""
        if storage_class.get("provisioner") != self._driver.name:
            return None
        try:
            pool = self._keeper.pool(pool_of(storage_class.get("parameters") or {}))
            space = await self._keeper.space(pool)
        except (NoSuchPool, OSError):
            return None
        return {
            "capacity": str(quantity.of_bytes(space.available)),
            "maximumVolumeSize": str(quantity.of_bytes(rounded(space.size))),
        }

    def _object(
        self,
        storage_class: Object,
        labels: dict[str, str],
        owner: list[dict[str, Any]],
        room: dict[str, str],
    ) -> Object:
        about = f"{self._driver.node}/{objects.name(storage_class)}"
        metadata: dict[str, Any] = {
            "name": f"csisc-{hashlib.sha256(about.encode()).hexdigest()[:20]}",
            "namespace": self._place.namespace,
            "labels": labels,
        }
        if owner:
            metadata["ownerReferences"] = owner
        return {
            "apiVersion": CAPACITIES.api_version,
            "kind": CAPACITIES.kind,
            "metadata": metadata,
            "storageClassName": objects.name(storage_class),
            "nodeTopology": {"matchLabels": {TOPOLOGY_KEY: self._driver.node}},
            **room,
        }

    async def _write(self, there: Object | None, wanted: Object) -> None:
        if there is None:
            await apply.ensure_created(self._client, CAPACITIES, wanted)
        elif any(there.get(key) != wanted[key] for key in ("capacity", "maximumVolumeSize")):
            changed = {**there, **{key: wanted[key] for key in ("capacity", "maximumVolumeSize")}}
            await apply.ensure_state(self._client, CAPACITIES, there, changed)

    async def _owner(self) -> list[dict[str, Any]]:
        if not self._place.pod:
            return []
        pod = await self._client.get(PODS, self._place.pod, self._place.namespace)
        return [
            {"apiVersion": "v1", "kind": "Pod", "name": self._place.pod, "uid": objects.uid(pod)}
        ]


async def _set_after(event: asyncio.Event, either: asyncio.Event) -> None:
    await event.wait()
    either.set()
