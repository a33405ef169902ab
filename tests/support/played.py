"""
A real API server and the real controllers, with binder and kubelet played by scripts.

    async with played.stage(tmp_path) as stage:
        stage.script("importer-dv", [world.CREATING, world.RUNNING, world.SUCCEEDED])
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())
        volume = await stage.until(kinds.DATA_VOLUMES, "dv", phase("Succeeded"))

Nothing sleeps: every wait is for an object to come into a state, as a watch tells.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cdi.api import crds
from cdi.controllers import kinds
from cdi.controllers.setup import controllers
from cdi.kube import connection, errors, objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.manager import Manager
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Key, Object
from cdi.kube.resource import (
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
    Resource,
)
from cdi.kube.transport import Settings
from cdi.standalone.apiserver.server import ApiServer, Listen
from support import world

EAGER = Settings(rate=1000.0, burst=1000)
LIMIT = 30.0  # seconds that anything may take before it counts as hung
WATCHED = (
    kinds.DATA_VOLUMES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    kinds.STORAGE_PROFILES,
    kinds.CDI_CONFIGS,
)

Condition = Callable[[Object], bool]


class Stage:
    """The server, its objects as they change, and the scripts of the pods."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.phases: dict[str, list[str]] = {}
        self.pods: list[str] = []
        self._informers = {each: Informer(client, each) for each in WATCHED}
        self._changed = asyncio.Condition()
        self._scripts: dict[str, list[list[Object]]] = {}
        self._plays: dict[str, list[Object]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.binds = True

    # For tests.

    def script(self, pod: str, *states: list[Object]) -> None:
        """What the pods of a name will do, one script for each of them in turn."""
        self._scripts[pod] = [list(each) for each in states]

    async def create(self, resource: Resource, obj: Object) -> Object:
        return await self.client.create(resource, obj)

    def seen(self, resource: Resource, name: str, namespace: str = "ns") -> Object | None:
        key = Key(namespace if resource.namespaced else "", name)
        return self._informers[resource].cache.get(key)

    async def until(
        self, resource: Resource, name: str, condition: Condition, namespace: str = "ns"
    ) -> Object:
        """Wait until an object exists and is as wanted."""

        def found() -> bool:
            obj = self.seen(resource, name, namespace)
            return obj is not None and condition(obj)

        try:
            async with asyncio.timeout(LIMIT), self._changed:
                await self._changed.wait_for(found)
        except TimeoutError:
            raise AssertionError(self.seen(resource, name, namespace)) from None
        obj = self.seen(resource, name, namespace)
        assert obj is not None
        return obj

    async def until_told(self, reason: str, kind: str) -> Object:
        """Wait for an event about an object of a kind."""
        for event in await self.client.list(EVENTS, "ns"):
            if event["reason"] == reason and event["involvedObject"]["kind"] == kind:
                return event
        watch = self.client.watch(EVENTS, "ns", resource_version="0")
        async with asyncio.timeout(LIMIT), aclosing(watch):
            async for change in watch:
                event = change.object
                if event["reason"] == reason and event["involvedObject"]["kind"] == kind:
                    return event
        raise AssertionError(f"nobody told of {reason}")

    async def until_gone(self, resource: Resource, name: str, namespace: str = "ns") -> None:
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(lambda: self.seen(resource, name, namespace) is None)

    # Life.

    async def run(self, stop: asyncio.Event) -> None:
        for resource, informer in self._informers.items():
            informer.on_change(partial(self._note, resource))
        await asyncio.gather(*(informer.run(stop) for informer in self._informers.values()))

    async def ready(self) -> None:
        await asyncio.gather(*(informer.ready() for informer in self._informers.values()))

    def _note(self, resource: Resource, change: Change) -> None:
        obj = change.new
        if obj is not None and resource is kinds.DATA_VOLUMES:
            phase = objects.get(obj, "status", "phase", default="")
            seen = self.phases.setdefault(f"{objects.namespace(obj)}/{objects.name(obj)}", [])
            if not seen or seen[-1] != phase:
                seen.append(phase)
        if obj is not None and resource is PODS and change.old is None:
            self.pods.append(objects.name(obj))
        if obj is not None and resource in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS):
            self._do(self._react(resource, obj))
        self._do(self._tell())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # Binder and kubelet.

    async def _react(self, resource: Resource, obj: Object) -> None:
        try:
            if resource is PERSISTENT_VOLUME_CLAIMS:
                await self._bind(obj)
            elif resource is PODS:
                await self._play(obj)
            else:
                await self._follow(obj)
        except (errors.NotFound, errors.Conflict, errors.AlreadyExists):
            return  # somebody else was faster; the next change tells

    async def _bind(self, claim: Object) -> None:
        if not self.binds or objects.get(claim, "spec", "dataSourceRef"):
            return
        if objects.get(claim, "status", "phase") not in (None, "Pending"):
            return
        name = f"pv-{objects.uid(claim)}"
        spec = claim["spec"]
        volume = {
            "metadata": {"name": name},
            "spec": {
                "accessModes": spec["accessModes"],
                "capacity": spec["resources"]["requests"],
                "hostPath": {"path": f"/nowhere/{name}"},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": objects.namespace(claim),
                    "name": objects.name(claim),
                    "uid": objects.uid(claim),
                },
            },
        }
        await self.client.create(PERSISTENT_VOLUMES, volume)

    async def _follow(self, volume: Object) -> None:
        """Bind the claim that a volume names; the claim that it named before is lost."""
        wanted = objects.get(volume, "spec", "claimRef", "uid")
        name = objects.name(volume)
        for claim in self._informers[PERSISTENT_VOLUME_CLAIMS].cache.list():
            phase = objects.get(claim, "status", "phase")
            place = (objects.name(claim), objects.namespace(claim))
            if objects.uid(claim) == wanted and phase != "Bound":
                chosen = {"spec": {"volumeName": name}}
                await self.client.patch(PERSISTENT_VOLUME_CLAIMS, *place, chosen)
                await self._set_phase(place, "Bound")
            elif objects.uid(claim) != wanted and phase == "Bound":
                if objects.get(claim, "spec", "volumeName") != name:
                    continue
                await self._set_phase(place, "Lost")

    async def _set_phase(self, place: tuple[str, str], phase: str) -> None:
        status = {"status": {"phase": phase}}
        await self.client.patch(PERSISTENT_VOLUME_CLAIMS, *place, status, subresource="status")

    async def _play(self, pod: Object) -> None:
        uid = objects.uid(pod)
        if uid not in self._plays:
            scripts = self._scripts.get(objects.name(pod))
            self._plays[uid] = list(scripts.pop(0) if scripts else world.SUCCEEDS)
        if not self._plays[uid]:
            return
        status = copy.deepcopy(self._plays[uid].pop(0))
        wanted = merged(pod.get("status") or {}, status)
        place = (objects.name(pod), objects.namespace(pod))
        await self.client.patch(PODS, *place, {"status": wanted}, subresource="status")


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    """A server with our kinds, a class, a namespace `ns`, and the controllers at work."""
    server = ApiServer(directory, Listen(port=0))
    await server.start()
    stop = asyncio.Event()
    try:
        credentials = connection.KubeConfig(str(server.kubeconfig))
        async with Client.to(credentials, EAGER) as client, Client.to(credentials, EAGER) as ours:
            await furnish(client)
            found = Stage(client)
            playing = asyncio.ensure_future(found.run(stop))
            await found.ready()
            manager = Manager()
            parts = await controllers(ours, world.SETTINGS)
            parts.add_to(manager)
            working = asyncio.ensure_future(manager.run(stop))
            try:
                yield found
            finally:
                stop.set()
                await asyncio.gather(playing, working)
    finally:
        await server.stop()


async def furnish(client: Client) -> None:
    """Make our kinds, a namespace and a class."""
    present = {objects.name(each) for each in await client.list(CUSTOM_RESOURCE_DEFINITIONS)}
    for definition in crds.named([]):
        if definition["metadata"]["name"] not in present:
            await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
    await client.create(NAMESPACES, {"metadata": {"name": "ns"}})
    await client.create(STORAGE_CLASSES, world.storage_class())


def phase(wanted: str) -> Condition:
    return lambda obj: objects.get(obj, "status", "phase") == wanted
