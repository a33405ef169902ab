"""
Kinds that only some clusters have, perhaps from tomorrow on.

An API is asked for now and then; once it is there its objects are watched like all others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from cdi.kube import errors, objects, tasks
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.clock import Clock, wait_for
from cdi.kube.informer import Informer
from cdi.kube.resource import Resource

log = logging.getLogger(__name__)

_PROBE: Final = 30.0  # seconds between two looks for APIs


class OptionalApis:
    """Looks for APIs, and watches their kinds from when they are there. A part for a manager."""

    name = "optional APIs"

    def __init__(
        self,
        client: Client,
        resources: Sequence[Resource],
        informer_of: Callable[[Resource], Informer],
        clock: Clock,
    ) -> None:
        self.informers: dict[str, Informer] = {}
        self._client, self._resources = client, resources
        self._informer_of = informer_of
        self._clock = clock
        self._handlers: list[Callable[[Change], None]] = []
        self._looked = asyncio.Event()
        self._running: list[asyncio.Future[None]] = []

    def on_change(self, handler: Callable[[Change], None]) -> None:
        self._handlers.append(handler)

    async def ready(self) -> None:
        """Return once everything that is there now is known."""
        await self._looked.wait()
        for informer in list(self.informers.values()):
            await informer.ready()

    async def run(self, stop: asyncio.Event) -> None:
        """Look for APIs until `stop`."""
        try:
            while not stop.is_set():
                await self._look(stop)
                self._looked.set()
                await wait_for(self._clock, _PROBE, stop)
        finally:
            await tasks.cancel(*self._running)

    async def _look(self, stop: asyncio.Event) -> None:
        for resource in self._resources:
            if resource.kind not in self.informers and await self._is_served(resource):
                log.info("an API has appeared", extra={"resource": str(resource)})
                informer = self._informer_of(resource)
                self.informers[resource.kind] = informer
                self._running.append(asyncio.ensure_future(informer.run(stop)))
                for handler in self._handlers:
                    informer.on_change(handler)

    async def _is_served(self, resource: Resource) -> bool:
        try:
            answer = await self._client.raw("GET", f"/apis/{resource.api_version}")
        except errors.KubeError:
            return False
        listed = objects.get(msgspec.json.decode(answer), "resources", default=[])
        return any(each.get("name") == resource.plural for each in listed)
