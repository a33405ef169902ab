"""
One machine in the test's own event loop: the real API server, binder, provisioner and node agent.

    async with machine.Machine(folder) as one:
        await one.create(machine.claim("a"))
        await one.until(PERSISTENT_VOLUME_CLAIMS, "a", bound)

As a program (`python -m support.machine FOLDER`) it prints `ready`, and runs until it is told to
stop, or killed.

What differs from `cdi up` is that CDI's own controllers are not there: tests create the pods.
"""

from __future__ import annotations

import asyncio
import functools
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from cdi.api.workorder import WorkOrder
from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS, Resource
from cdi.standalone.agent import node, workeruser
from cdi.standalone.agent.agent import Agent
from cdi.standalone.agent.lifecycle import Restarts
from cdi.standalone.agent.logs import Logs
from cdi.standalone.agent.settings import Settings
from cdi.standalone.agent.workeruser import WorkerUser
from cdi.standalone.apiserver.server import ApiServer, Hooks, Listen
from cdi.standalone.volumes import binder
from cdi.standalone.volumes.caches import Caches
from cdi.volumes.pool import Pool

IMAGE = "cdi-worker:test"
NAMESPACE = "default"
QUICK = Restarts(first=0.2, longest=1.0)


@functools.cache
def worker_user() -> WorkerUser | None:
    """The user that workers are, as `cdi up` finds it."""
    return workeruser.find(Path("/"))[0]


class Machine:
    """Starts everything over `folder`; may be started again over the same one."""

    def __init__(
        self, folder: Path, *, devices: bool = False, restarts: Restarts = QUICK, **settings: Any
    ) -> None:
        self.folder = folder
        self._devices = devices
        settings.setdefault("user", worker_user())
        self._settings = Settings(folder, frozenset({IMAGE}), restarts, **settings)
        self._stack = AsyncExitStack()
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Machine:
        hooks = Hooks()
        logs = Logs(self.folder / "logs")
        logs.register(hooks.subresources)
        self.server = ApiServer(self.folder, Listen(port=0), hooks=hooks)
        await self._stack.enter_async_context(self.server)
        credentials = connection.choose(str(self.server.kubeconfig))
        client = await self._stack.enter_async_context(Client.to(credentials))
        self.client = client.unthrottled()  # the server is in the same process
        self.seen = Caches.on(self.client)
        user = self._settings.user
        ids = (user.uid, user.gid) if user else None
        self.pool = Pool(self.folder / "volumes", devices=self._devices, user=ids)
        self.pool.ensure()
        manager = Manager()
        recorder = Recorder(self.client, "test")
        manager.add(Group.SUPPORT, recorder)
        manager.add(Group.CACHES, *self.seen.all())
        binder.Binder(self.client, self.seen, self.pool, recorder, node.NAME).register(manager)
        self.agent = Agent(self.client, self.seen, self.pool, recorder, logs, self._settings)
        self.agent.register(manager)
        await binder.ensure_classes(self.client)
        self.running = asyncio.ensure_future(manager.run(self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        try:
            await self.running
        finally:
            await self._stack.aclose()

    # What tests do and ask.

    async def create(self, obj: Object) -> Object:
        resource = {"Pod": PODS, "PersistentVolumeClaim": PERSISTENT_VOLUME_CLAIMS}[obj["kind"]]
        return await self.client.create(resource, obj)

    async def until(self, resource: Resource, name: str, holds: Callable[[Object], Any]) -> Object:
        """The object once `holds` is true of it."""
        found: list[Object] = []
        namespace = NAMESPACE if resource.namespaced else ""

        def look(change: Any) -> None:
            seen = change.new
            if seen and objects.key(seen) == Key(namespace, name) and holds(seen):
                found.append(seen)
                there.set()

        there = asyncio.Event()
        informer = next(one for one in self.seen.all() if one.resource == resource)
        informer.on_change(look)
        await there.wait()
        return found[0]

    def history(self, resource: Resource, name: str) -> list[Object]:
        """Every state of an object that a watch shows from now on; the list grows."""
        found: list[Object] = []
        key = Key(NAMESPACE if resource.namespaced else "", name)

        def look(change: Any) -> None:
            if change.new and objects.key(change.new) == key:
                found.append(change.new)

        informer = next(one for one in self.seen.all() if one.resource == resource)
        informer.on_change(look)
        return found

    async def gone(self, resource: Resource, name: str) -> None:
        """Return once no such object exists."""
        key = Key(NAMESPACE if resource.namespaced else "", name)
        informer = next(one for one in self.seen.all() if one.resource == resource)
        there = asyncio.Event()

        def look(_: Any) -> None:
            if informer.cache.get(key) is None:
                there.set()

        informer.on_change(look)
        look(None)
        await there.wait()

    async def eventually(self, holds: Callable[[], Any]) -> None:
        """Return once `holds` is true of what no watch tells about, such as files."""
        while not holds():  # noqa: ASYNC110 - there is nothing to wait for but time
            await asyncio.sleep(0.02)

    async def exists(self, resource: Resource, name: str) -> bool:
        try:
            await self.client.get(resource, name, NAMESPACE if resource.namespaced else None)
        except errors.NotFound:
            return False
        return True

    async def event(self, name: str, reason: str) -> str:
        """The message of an event about an object, once there is one."""
        while True:
            for event in await self.client.list(EVENTS, NAMESPACE):
                if event["involvedObject"]["name"] == name and event["reason"] == reason:
                    return str(event["message"])
            await asyncio.sleep(0.02)

    async def log(self, pod: str, **wanted: Any) -> str:
        pieces = [piece async for piece in self.client.logs(pod, NAMESPACE, **wanted)]
        return b"".join(pieces).decode()


def claim(name: str, size: str = "32Mi", **spec: Any) -> Object:
    """A claim of the default class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def importer(
    name: str, order: WorkOrder, claim: str = "", *, block: bool = False, **spec: Any
) -> Object:
    """An importer pod for a claim of the same name."""
    mount: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    if block:
        mount = {"volumeDevices": [{"name": "data", "devicePath": "/dev/cdi-block-volume"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [
                {
                    "name": "importer",
                    "image": IMAGE,
                    "command": ["python3", "-m", "cdi.workers.importer"],
                    "args": ["-v=1"],
                    "env": order.to_pod_env(),
                    "ports": [{"name": "metrics", "containerPort": 8443}],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    **mount,
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim or name}}],
            **spec,
        },
    }


def phase(wanted: str) -> Callable[[Object], bool]:
    return lambda obj: objects.get(obj, "status", "phase") == wanted


def state_of(pod: Object) -> Object:
    """The state of the first container."""
    return dict(objects.get(pod, "status", "containerStatuses", 0, "state", default={}))


async def _run(folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Machine(folder):
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
