"""
Who makes and removes the data of volumes, for claims and the classes that they name.

The driver's keeper gives volumes that the kubelet asks the driver for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cdi.binding import facts
from cdi.hostpath.csi.identity import TOPOLOGY_KEY, Driver
from cdi.hostpath.csi.requests import pool_of
from cdi.hostpath.keeper import Keeper
from cdi.hostpath.pools import Content, Wanted
from cdi.hostpath.provisioning import persistent
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.volumes.pool import Mode

# Of the parameters of classes, those that concern whoever provisions and nobody else.
_NOT_FOR_DRIVERS = "csi.storage.k8s.io/"


class Backend(Protocol):
    """Makes, grows and removes data. Raises OSError, ValueError, Busy."""

    async def make(self, claim: Object, storage_class: Object, content: Content | None) -> Object:
        """Make the data of a claim's volume, and return the volume that describes it."""

    async def grow(self, volume: Object, size: int) -> int:
        """Make a volume at least this large; return how large it is."""

    async def erase(self, volume: Object) -> None:
        """Remove the data of a volume; none is fine."""

    async def has(self, content: Content) -> bool:
        """Whether this node could fill a volume with this."""


class DriverBackend:
    """Volumes of the CSI driver."""

    def __init__(self, driver: Driver, keeper: Keeper) -> None:
        self._driver, self._keeper = driver, keeper

    async def make(self, claim: Object, storage_class: Object, content: Content | None) -> Object:
        parameters = objects.get(storage_class, "parameters", default={})
        volume = await self._keeper.create(
            Wanted(
                id=facts.volume_name_for(claim),
                pool=pool_of(parameters),
                mode=Mode(facts.volume_mode(claim)),
                size=facts.requested(claim),
                content=content,
            )
        )
        return persistent.volume_for(
            claim,
            storage_class,
            self._driver.name,
            capacity=max(volume.capacity, facts.requested(claim)),
            source={"csi": self._source(volume.id, parameters)},
            affinity={} if volume.pool.shared else {TOPOLOGY_KEY: self._driver.node},
        )

    def _source(self, volume: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        attributes = {
            key: value for key, value in parameters.items() if not key.startswith(_NOT_FOR_DRIVERS)
        }
        source: dict[str, Any] = {"driver": self._driver.name, "volumeHandle": volume}
        return source | ({"volumeAttributes": attributes} if attributes else {})

    async def grow(self, volume: Object, size: int) -> int:
        return await self._keeper.grow(_handle(volume), size)

    async def erase(self, volume: Object) -> None:
        await self._keeper.erase(_handle(volume))

    async def has(self, content: Content) -> bool:
        return await self._keeper.has(content)


def _handle(volume: Object) -> str:
    return str(objects.get(volume, "spec", "csi", "volumeHandle", default=""))
