"""
The node agent: one controller that takes every pod from Pending to its end.

For each pod it observes, has `scheduling` or `lifecycle` decide, and acts. What a container has
been through is kept in memory while its process runs, and is read back from the pod's status
after a restart; a process that an earlier agent left is ended first, and its container started
again. The pod's status is written last, and only when it differs.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cdi.kube import apply, errors, objects, tasks
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Result
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PODS
from cdi.standalone.agent import (
    containers,
    environment,
    lifecycle,
    mounts,
    node,
    podstatus,
    processes,
    readiness,
    roles,
)
from cdi.standalone.agent.containers import Ended, Waiting
from cdi.standalone.agent.logs import Logs
from cdi.standalone.agent.mounts import Mounter
from cdi.standalone.agent.record import Record
from cdi.standalone.agent.runtime import PATIENCE, Runtime
from cdi.standalone.agent.scheduler import Scheduler
from cdi.standalone.agent.settings import Settings
from cdi.standalone.volumes import caches
from cdi.standalone.volumes.caches import Caches
from cdi.volumes.pool import Pool

log = logging.getLogger(__name__)

COMPONENT: Final = "cdi-node-agent"
_WORKERS: Final = 8
_RETRY: Final = 1.0  # seconds until something that is missing is looked for again
DEFAULT_GRACE: Final = 30


class Agent:
    """Runs the pods of one node. Add it to a manager with `register`."""

    def __init__(
        self,
        client: Client,
        seen: Caches,
        pool: Pool,
        recorder: Recorder,
        logs: Logs,
        settings: Settings,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.name = "node agent"
        self._client, self._seen, self._recorder = client, seen, recorder
        self._settings, self._logs = settings, logs
        self._clock = clock or SystemClock()
        self._mounter = Mounter(
            settings.data_dir / "pods", pool, seen, settings.vddk_library, settings.user
        )
        self._scheduler = Scheduler(client, seen, recorder, settings, self._clock)
        self._runtime = Runtime(client, self._mounter, logs, settings, self._clock)
        self._records: dict[str, Record] = {}  # by the UID of the pod
        self._keys: dict[Key, set[str]] = {}  # pods that had this key
        self._running: set[tuple[str, str]] = set()  # UID and container, from before the start on
        self._serving: set[tuple[str, str]] = set()  # of those, whatever waits for others
        self._controller = Controller("pods", self.reconcile, workers=_WORKERS, clock=clock)

    def register(self, manager: Manager) -> None:
        """Add the agent, its node and its controller."""
        self._controller.watch(self._seen.pods)
        self._controller.watch(self._seen.claims, self._pods_about_claim)
        self._controller.watch(self._seen.classes, lambda _: self._pods_without_node())
        self._controller.watch(self._seen.nodes, lambda _: self._pods_without_node())
        unwalled = self._settings.missing_walls
        manager.add(Group.SERVERS, node.Node(self._client, clock=self._clock, unwalled=unwalled))
        manager.add(Group.CONTROLLERS, self, self._controller)

    # A part of the manager: tidies up what an earlier agent left, and ends what runs.

    async def ready(self) -> None:
        """Pods are taken in hand one by one."""

    async def run(self, stop: asyncio.Event) -> None:
        """Forget pods that have gone; at the end stop all workers, which keep their journals."""
        uids = self._uids()
        for uid in self._mounter.left():
            if uid not in uids:
                await self._clear(uid)
        await self._prune_logs()
        try:
            await self._mounter.release_unused()
        except OSError as error:
            log.warning("a block device cannot be detached", extra={"cause": str(error)})
        await stop.wait()
        await self._stop_all()

    def _uids(self) -> set[str]:
        return {objects.uid(pod) for pod in self._seen.pods.cache.list()}

    async def _prune_logs(self) -> None:
        await asyncio.to_thread(self._logs.prune, self._uids(), self._clock.wall())

    async def _stop_all(self) -> None:
        running = [record for record in self._records.values() if record.processes]
        for record in running:
            record.signal(signal.SIGTERM)
        watching = [task for record in running for task in record.watching]
        if watching:
            _, late = await asyncio.wait(watching, timeout=PATIENCE)
            for record in running:
                record.signal(signal.SIGKILL)
            if late:
                await asyncio.wait(late, timeout=PATIENCE)
        probes = [probe for record in running for probe in record.probes.values()]
        await tasks.cancel(*watching, *probes)

    async def _clear(self, uid: str) -> None:
        directory = self._mounter.directory(uid)
        for container in sorted(directory.path.iterdir()):
            await processes.end_left(container, PATIENCE)
        await asyncio.to_thread(directory.remove)

    # Which pods a change concerns.

    def _pods_about_claim(self, claim: Object) -> Iterator[Key]:
        return map(objects.key, self._seen.pods_of(objects.key(claim)))

    def _pods_without_node(self) -> Iterator[Key]:
        for pod in self._seen.pods.cache.list():
            if not objects.get(pod, "spec", "nodeName"):
                yield objects.key(pod)

    # One pod.

    async def reconcile(self, key: Key) -> Result | None:
        """Take one pod one step further."""
        pod = self._seen.pods.cache.get(key)
        uid = objects.uid(pod) if pod else ""
        for former in self._keys.get(key, set()) - {uid}:
            await self._vanished(key, former)
        if pod is None:
            await self._prune_logs()
            return None
        assigned = objects.get(pod, "spec", "nodeName")
        if not assigned:
            return await self._scheduler.schedule(pod)
        if assigned != node.NAME:
            return None
        if caches.has_ended(pod):
            await self._finish(pod)
            return None
        record = await self._record_of(pod)
        if objects.is_deleting(pod):
            return await self._stop(record)
        return await self._run_containers(record)

    # Running.

    async def _record_of(self, pod: Object) -> Record:
        uid = objects.uid(pod)
        if uid in self._records:
            self._records[uid].pod = pod
            return self._records[uid]
        statuses = objects.get(pod, "status", "containerStatuses", default=[])
        record = Record(pod)
        for spec in pod["spec"]["containers"]:
            name = spec["name"]
            record.containers[name] = await self._runtime.recovered(
                pod, containers.from_status(name, statuses)
            )
        self._records[uid] = record
        self._keys.setdefault(objects.key(pod), set()).add(uid)
        return record

    async def _run_containers(self, record: Record) -> Result | None:
        now = self._clock.wall()
        policy = podstatus.policy_of(record.pod)
        again: list[datetime] = []
        for name, container in list(record.containers.items()):
            plan = lifecycle.decide(container, policy, self._settings.restarts, now)
            record.containers[name] = plan.container
            if plan.again:
                again.append(plan.again)
            if plan.start and not await self._try_start(record, name):
                again.append(now + timedelta(seconds=_RETRY))
        await self._publish(record)
        if not again:
            return None
        return Result(again_in=max(0.0, (min(again) - self._clock.wall()).total_seconds()))

    async def _try_start(self, record: Record, name: str) -> bool:
        """Start a container, or note why it waits; return whether it runs."""
        container = record.containers[name]
        role = roles.role_of(record.spec(name), self._settings.images)
        if role is None:
            settings = self._settings
            why = roles.refusal(record.pod, settings.images, settings.vddk_library)
            waiting: Waiting | None = Waiting("ErrImagePull", why)
        elif not self._has_turn(record, name, role):
            waiting = Waiting(containers.CREATING, "other workers run first")
        else:
            waiting = await self._started(record, name, role)
        if waiting is None:
            return True
        if container.state != waiting:
            last = container.state if isinstance(container.state, Ended) else container.last
            record.containers[name] = replace(container, state=waiting, last=last)
            if waiting.reason != containers.CREATING:
                self._recorder.warning(record.pod, "Failed", f"Error: {waiting.message}")
        return False

    def _has_turn(self, record: Record, name: str, role: roles.Role) -> bool:
        """Whether a container may run now. One that another waits for goes along with that one."""
        if role.serves:
            return len(self._serving) < self._settings.most_serving
        if not role.waited_for:
            return len(self._running) < self._settings.most_running
        others = (each for each in record.containers.values() if each.name != name)
        return not all(isinstance(each.state, Waiting) for each in others)

    async def _started(self, record: Record, name: str, role: roles.Role) -> Waiting | None:
        """Start a container; return what it waits for if that cannot be done yet."""
        slot = (objects.uid(record.pod), name)
        slots = self._serving if role.serves else self._running
        if not role.waited_for:
            slots.add(slot)
        try:
            taken = [other.address for other in self._records.values()]
            file = await self._runtime.start(record, name, role, taken)
        except mounts.NotReady as error:
            return Waiting(containers.CREATING, str(error))
        except environment.Missing as error:
            return Waiting(containers.CONFIG_ERROR, str(error))
        except (mounts.Unsupported, OSError) as error:
            return Waiting("CreateContainerError", str(error))
        finally:
            if name not in record.processes:
                slots.discard(slot)
        self._probe(record, name)
        task = asyncio.ensure_future(self._watch(record, name, file))
        record.watching.add(task)
        task.add_done_callback(record.watching.discard)
        self._recorder.normal(record.pod, "Started", f"Started container {name}")
        return None

    def _probe(self, record: Record, name: str) -> None:
        """Have a container that has a readiness probe asked from now on."""
        probe = readiness.probe_of(record.spec(name), record.address)
        if probe is None:
            return

        def changed(ready: bool) -> None:
            record.containers[name] = replace(record.containers[name], answers=ready)
            self._controller.queue.add(objects.key(record.pod))

        record.containers[name] = replace(record.containers[name], answers=False)
        record.probes[name] = asyncio.ensure_future(readiness.watch(probe, self._clock, changed))

    async def _watch(self, record: Record, name: str, file: Path) -> None:
        """Wait for the end of a process, and note it."""
        code = await record.processes[name].exit_code()
        await tasks.cancel(*filter(None, [record.probes.pop(name, None)]))
        self._runtime.ended(record, name, code, file)
        for slots in (self._running, self._serving):
            slots.discard((objects.uid(record.pod), name))
        self._controller.queue.add(objects.key(record.pod))
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        for record in self._records.values():
            if record.waits():
                self._controller.queue.add(objects.key(record.pod))

    async def _publish(self, record: Record) -> None:
        status = podstatus.status_for(
            record.pod, list(record.containers.values()), record.address, self._clock.wall()
        )
        await self._show(record, status)

    async def _show(self, record: Record, status: Object) -> None:
        for step in podstatus.steps_to(record.pod, status):
            ensured = await apply.ensure_status(self._client, PODS, record.pod, step)
            record.pod = ensured.object

    # The end.

    async def _stop(self, record: Record) -> Result | None:
        """Stop a pod that is being deleted, within its grace, and let it go."""
        now = self._clock.wall()
        if record.processes:
            grace = objects.metadata(record.pod).get("deletionGracePeriodSeconds")
            seconds = DEFAULT_GRACE if grace is None else int(grace)
            if record.kill_at is None:
                record.kill_at = now + timedelta(seconds=seconds)
                record.signal(signal.SIGTERM)
                for name in record.processes:
                    self._recorder.normal(record.pod, "Killing", f"Stopping container {name}")
            record.kill_at = min(record.kill_at, now + timedelta(seconds=seconds))
            if now >= record.kill_at:
                record.signal(signal.SIGKILL)
                return Result(again_in=_RETRY)
            return Result(again_in=(record.kill_at - now).total_seconds())
        await self._show_stopped(record)
        await self._finish(record.pod)
        return None

    async def _show_stopped(self, record: Record) -> None:
        """How the containers ended is told before the pod goes: nobody could ask for it then."""
        states = list(record.containers.values())
        status = podstatus.stopped_status_for(record.pod, states, self._clock.wall())
        try:
            await self._show(record, status)
        except errors.NotFound:
            return

    async def _finish(self, pod: Object) -> None:
        """A pod has ended: give back what it used, and let go of it if somebody deleted it."""
        uid = objects.uid(pod)
        if uid in self._records or self._mounter.directory(uid).path.exists():
            await self._mounter.unmount(pod)
            self._forget(objects.key(pod), uid)
        if objects.is_deleting(pod):
            namespace, name = objects.key(pod)
            try:
                await self._client.delete(PODS, name, namespace, uid=uid, grace_seconds=0)
            except (errors.NotFound, errors.Conflict):
                return

    async def _vanished(self, key: Key, uid: str) -> None:
        """A pod was removed by force: its processes go at once."""
        record = self._records.get(uid)
        if record is not None:
            record.signal(signal.SIGKILL)
            if record.watching:
                await asyncio.wait(record.watching)
            await self._mounter.unmount(record.pod)
        self._forget(key, uid)

    def _forget(self, key: Key, uid: str) -> None:
        self._records.pop(uid, None)
        uids = self._keys.get(key, set())
        uids.discard(uid)
        if not uids:
            self._keys.pop(key, None)
        self._wake_waiting()
