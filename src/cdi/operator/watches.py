"""
What the operator sees of the cluster: what it manages, and APIs that may appear later.

Managed objects are told by their label, so that nobody else's fill memory. An API that some
clusters have is asked for now and then; once it is there its objects are watched like all others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from cdi.api import labels
from cdi.kube import errors, objects, tasks
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.clock import Clock, wait_for
from cdi.kube.informer import Informer
from cdi.kube.objects import Object, Objects
from cdi.kube.resource import CONFIG_MAPS, Resource
from cdi.operator import kinds
from cdi.operator.decide import Ref

log = logging.getLogger(__name__)

_PROBE: Final = 30.0  # seconds between two looks for APIs
# Of these, objects of others matter, too.
_WHOLE: Final = (CONFIG_MAPS, kinds.ROUTES, kinds.CONSTRAINTS)


class Watches:
    """Informers of everything that is managed; `informers` are parts for a manager."""

    def __init__(self, client: Client, namespace: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self.installations = Informer(client, kinds.CDIS, clock=clock)
        self.managed: Mapping[str, Informer] = {
            each.kind: self._informer(each) for each in kinds.MANAGED
        }
        self.optional = OptionalWatches(client, self._informer, clock)

    @property
    def informers(self) -> tuple[Informer, ...]:
        return (self.installations, *self.managed.values())

    def on_change(self, handler: Callable[[Change], None]) -> None:
        """Call `handler` for every change of whatever is watched, now or later."""
        for informer in self.informers:
            informer.on_change(handler)
        self.optional.on_change(handler)

    def current(self) -> dict[Ref, Object]:
        """All objects that are known, by what they are called."""
        watched = {**self.managed, **self.optional.informers}
        return {
            Ref(kind, objects.namespace(each), objects.name(each)): each
            for kind, informer in watched.items()
            for each in informer.cache.list()
        }

    def all_of(self, resource: Resource) -> Objects:
        """Objects of an optional kind; none where there is no such API."""
        informer = self.optional.informers.get(resource.kind)
        return informer.cache.list() if informer is not None else []

    def has(self, resource: Resource) -> bool:
        """Whether the API of an optional kind is there, and its objects are known."""
        informer = self.optional.informers.get(resource.kind)
        return informer is not None and informer.synced

    def _informer(self, resource: Resource) -> Informer:
        return Informer(
            self._client,
            resource,
            self._namespace if resource.namespaced else None,
            labels="" if resource in _WHOLE else labels.CREATE_VERSION,
            clock=self._clock,
        )


class OptionalWatches:
    """Looks for APIs, and watches their kinds from when they are there. A part for a manager."""

    name = "optional APIs"

    def __init__(
        self, client: Client, informer_of: Callable[[Resource], Informer], clock: Clock
    ) -> None:
        self.informers: dict[str, Informer] = {}
        self._client = client
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
        for resource in kinds.OPTIONAL:
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
