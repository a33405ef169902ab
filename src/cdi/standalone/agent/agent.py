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
import os
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cdi.api.annotations import SELECTED_NODE
from cdi.api.termination import LONGEST, Termination
from cdi.kube import apply, errors, objects, tasks
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Result
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS
from cdi.standalone.agent import (
    addresses,
    containers,
    environment,
    lifecycle,
    mounts,
    node,
    podstatus,
    processes,
    roles,
    scheduling,
)
from cdi.standalone.agent.containers import Container, Ended, Running, Waiting
from cdi.standalone.agent.lifecycle import Restarts
from cdi.standalone.agent.logs import Logs, tail
from cdi.standalone.agent.mounts import Mounter
from cdi.standalone.volumes import caches
from cdi.standalone.volumes.caches import Caches
from cdi.standalone.volumes.local import Volumes

log = logging.getLogger(__name__)

COMPONENT: Final = "cdi-node-agent"
_WORKERS: Final = 8
_RETRY: Final = 1.0  # seconds until something that is missing is looked for again
_NEW: Final = 3.0  # seconds; the API keeps whole ones
# A worker leaves within 5 s of being asked to.
_PATIENCE: Final = 6.0
DEFAULT_GRACE: Final = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """What whoever runs the agent decides."""

    data_dir: Path
    images: Collection[str]  # that are ours
    restarts: Restarts = field(default_factory=Restarts)
    # Each worker has a process of some 60 MiB, and starting one takes a fraction of a core.
    most_running: int = 8 * (os.cpu_count() or 1)
    vddk_library: Path | None = None  # VMware's library, if this machine has it


@dataclass(slots=True)
class _Record:
    """What is known about one pod, beyond what the API knows."""

    pod: Object
    address: str = ""
    containers: dict[str, Container] = field(default_factory=dict)
    processes: dict[str, processes.Process] = field(default_factory=dict)
    watching: set[asyncio.Task[None]] = field(default_factory=set)
    kill_at: datetime | None = None  # once it is being stopped


class Agent:
    """Runs the pods of one node. Add it to a manager with `register`."""

    def __init__(
        self,
        client: Client,
        seen: Caches,
        volumes: Volumes,
        recorder: Recorder,
        logs: Logs,
        settings: Settings,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.name = "node agent"
        self._client, self._seen, self._recorder = client, seen, recorder
        self._settings = settings
        self._clock = clock or SystemClock()
        self._mounter = Mounter(settings.data_dir / "pods", volumes, seen, settings.vddk_library)
        self._logs = logs
        self._records: dict[str, _Record] = {}  # by the UID of the pod
        self._keys: dict[Key, set[str]] = {}  # pods that had this key
        self._running: set[tuple[str, str]] = set()  # UID and container, from before the start on
        self._controller = Controller("pods", self.reconcile, workers=_WORKERS, clock=clock)

    def register(self, manager: Manager) -> None:
        """Add the agent, its node and its controller."""
        self._controller.watch(self._seen.pods)
        self._controller.watch(self._seen.claims, self._pods_about_claim)
        self._controller.watch(self._seen.classes, lambda _: self._pods_without_node())
        manager.add(Group.SERVERS, node.Node(self._client, clock=self._clock))
        manager.add(Group.CONTROLLERS, self, self._controller)

    # A part of the manager: tidies up what an earlier agent left, and ends what runs.

    async def ready(self) -> None:
        """Pods are taken in hand one by one."""

    async def run(self, stop: asyncio.Event) -> None:
        """Forget pods that have gone; at the end stop all workers, which keep their journals."""
        uids = {objects.uid(pod) for pod in self._seen.pods.cache.list()}
        for uid in self._mounter.left():
            if uid not in uids:
                await self._clear(uid)
        try:
            await self._mounter.release_unused()
        except OSError as error:
            log.warning("a block device cannot be detached", extra={"cause": str(error)})
        await stop.wait()
        await self._stop_all()

    async def _stop_all(self) -> None:
        running = [record for record in self._records.values() if record.processes]
        for record in running:
            _signal(record, signal.SIGTERM)
        watching = [task for record in running for task in record.watching]
        if watching:
            _, late = await asyncio.wait(watching, timeout=_PATIENCE)
            for record in running:
                _signal(record, signal.SIGKILL)
            if late:
                await asyncio.wait(late, timeout=_PATIENCE)
        await tasks.cancel(*watching)

    async def _clear(self, uid: str) -> None:
        directory = self._mounter.directory(uid)
        for container in sorted(directory.path.iterdir()):
            await processes.end_left(container, _PATIENCE)
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
            return None
        assigned = objects.get(pod, "spec", "nodeName")
        if not assigned:
            return await self._schedule(pod)
        if assigned != node.NAME:
            return None
        if caches.has_ended(pod):
            await self._finish(pod)
            return None
        record = await self._record_of(pod)
        if objects.is_deleting(pod):
            return await self._stop(record)
        return await self._run_containers(record)

    # Scheduling.

    async def _schedule(self, pod: Object) -> Result | None:
        if caches.has_ended(pod) or objects.is_deleting(pod):
            return None
        plan = scheduling.decide(self._observe(pod))
        for claim_key in plan.select:
            claim = self._seen.claim(claim_key)
            if claim is not None:
                await apply.ensure_metadata(
                    self._client,
                    PERSISTENT_VOLUME_CLAIMS,
                    claim,
                    annotations={SELECTED_NODE: node.NAME},
                )
        if plan.waits:
            if plan.passing and (young := self._is_young_for(pod)):
                return Result(again_in=young)
            await self._tell_unscheduled(pod, plan.waits)
            return None
        if plan.assign:
            await self._assign(pod)
        return None

    def _is_young_for(self, pod: Object) -> float:
        """For how many seconds more a pod is so new that nobody wonders why it waits."""
        created = containers.read(objects.metadata(pod).get("creationTimestamp"))
        return max(0.0, _NEW - (self._clock.wall() - created).total_seconds())

    def _observe(self, pod: Object) -> scheduling.Seen:
        return scheduling.Seen(
            pod=pod,
            node=node.NAME,
            labels=node.labels(),
            claims={key: self._seen.claim(key) for key in caches.claim_keys(pod)},
            storage_classes={
                objects.name(found): found for found in self._seen.classes.cache.list()
            },
            refusal=self._refusal(pod),
        )

    def _refusal(self, pod: Object) -> str:
        return roles.refusal(pod, self._settings.images, self._settings.vddk_library)

    async def _tell_unscheduled(self, pod: Object, why: str) -> None:
        status = podstatus.unscheduled(pod, why, self._clock.wall())
        if (await apply.ensure_status(self._client, PODS, pod, status)).changed:
            self._recorder.warning(pod, "FailedScheduling", why)

    async def _assign(self, pod: Object) -> None:
        namespace, name = objects.key(pod)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node.NAME},
        }
        try:
            await self._client.create_subresource(PODS, name, namespace, "binding", binding)
        except errors.NotFound:
            return
        text = f"Successfully assigned {namespace}/{name} to {node.NAME}"
        self._recorder.normal(pod, "Scheduled", text)

    # Running.

    async def _record_of(self, pod: Object) -> _Record:
        uid = objects.uid(pod)
        if uid in self._records:
            self._records[uid].pod = pod
            return self._records[uid]
        statuses = objects.get(pod, "status", "containerStatuses", default=[])
        record = _Record(pod)
        for spec in pod["spec"]["containers"]:
            name = spec["name"]
            record.containers[name] = await self._recovered(
                pod, containers.from_status(name, statuses)
            )
        self._records[uid] = record
        self._keys.setdefault(objects.key(pod), set()).add(uid)
        return record

    async def _recovered(self, pod: Object, container: Container) -> Container:
        """Return a container after the agent was away: what ran then is no longer ours."""
        directory = self._mounter.directory(objects.uid(pod))
        await processes.end_left(directory.container(container.name), _PATIENCE)
        if not isinstance(container.state, Running):
            return container
        text = _termination(directory.termination_log(container.name))
        done = _is_well(text)
        ended = Ended(
            code=0 if done else containers.KILLED,
            started=container.state.started,
            finished=self._clock.wall(),
            message=text,
            reason="" if done else containers.UNKNOWN,
        )
        # It was the agent that failed, so there is nothing to wait for.
        return replace(lifecycle.ended_with(container, ended, self._settings.restarts), failures=0)

    async def _run_containers(self, record: _Record) -> Result | None:
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

    async def _try_start(self, record: _Record, name: str) -> bool:
        """Start a container, or note why it waits; return whether it runs."""
        container = record.containers[name]
        spec = next(one for one in record.pod["spec"]["containers"] if one["name"] == name)
        role = roles.role_of(spec, self._settings.images)
        if role is None:
            why = self._refusal(record.pod)
            waiting: Waiting | None = Waiting("ErrImagePull", why)
        elif not self._has_turn(record, name, role):
            waiting = Waiting(containers.CREATING, "other workers run first")
        else:
            waiting = await self._started(record, spec, role)
        if waiting is None:
            return True
        if container.state != waiting:
            last = container.state if isinstance(container.state, Ended) else container.last
            record.containers[name] = replace(container, state=waiting, last=last)
            if waiting.reason != containers.CREATING:
                self._recorder.warning(record.pod, "Failed", f"Error: {waiting.message}")
        return False

    def _has_turn(self, record: _Record, name: str, role: roles.Role) -> bool:
        """Whether a container may run now. One that another waits for goes along with that one."""
        if not role.waited_for:
            return len(self._running) < self._settings.most_running
        others = (each for each in record.containers.values() if each.name != name)
        return not all(isinstance(each.state, Waiting) for each in others)

    async def _started(self, record: _Record, spec: Object, role: roles.Role) -> Waiting | None:
        """Start a container; return what it waits for if that cannot be done yet."""
        slot = (objects.uid(record.pod), str(spec["name"]))
        if not role.waited_for:
            self._running.add(slot)
        try:
            await self._start(record, spec, role)
        except mounts.NotReady as error:
            return Waiting(containers.CREATING, str(error))
        except environment.Missing as error:
            return Waiting(containers.CONFIG_ERROR, str(error))
        except (mounts.Unsupported, OSError) as error:
            return Waiting("CreateContainerError", str(error))
        finally:
            if spec["name"] not in record.processes:
                self._running.discard(slot)
        return None

    async def _start(self, record: _Record, spec: Object, role: roles.Role) -> None:
        pod, name = record.pod, str(spec["name"])
        directory = self._mounter.directory(objects.uid(pod))
        await self._mounter.mount(pod, self._lookup_in(objects.namespace(pod)))
        if not record.address:
            taken = [other.address for other in self._records.values()]
            record.address = addresses.address_for(objects.uid(pod), taken)
            pod = {**pod, "status": {**(pod.get("status") or {}), "podIP": record.address}}
        given = await environment.environment_for(
            spec, pod, self._lookup_in(objects.namespace(pod))
        )
        place = mounts.place_for(directory, name, record.address)
        kept = (*environment.INHERITED, *role.inherits)
        inherited = {key: os.environ[key] for key in kept if key in os.environ}
        env = inherited | given | place.to_env() | {"LISTEN_ADDRESS": record.address}
        directory.termination_log(name).unlink(missing_ok=True)
        started = lifecycle.started(record.containers[name], self._clock.wall())
        file = self._logs.file(pod, name, started.attempt)
        process = await processes.Process.start(role, env, directory.container(name), file)
        record.containers[name], record.processes[name] = started, process
        self._logs.began(file)
        task = asyncio.ensure_future(self._watch(record, name, process, file))
        record.watching.add(task)
        task.add_done_callback(record.watching.discard)
        self._recorder.normal(record.pod, "Started", f"Started container {name}")

    def _lookup_in(self, namespace: str) -> environment.Lookup:
        resources = {"secret": SECRETS, "configmap": CONFIG_MAPS}

        async def lookup(kind: str, name: str) -> Object | None:
            try:
                return await self._client.get(resources[kind], name, namespace)
            except (errors.NotFound, ValueError):
                return None

        return lookup

    async def _watch(
        self, record: _Record, name: str, process: processes.Process, file: Path
    ) -> None:
        """Wait for the end of a process, and note it."""
        code = await process.exit_code()
        container = record.containers[name]
        started = container.state.started if isinstance(container.state, Running) else None
        now = self._clock.wall()
        directory = self._mounter.directory(objects.uid(record.pod))
        text = _termination(directory.termination_log(name))
        spec = next(one for one in record.pod["spec"]["containers"] if one["name"] == name)
        if not text and code and spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            text = tail(file)
        ended = Ended(code, started or now, now, text)
        record.containers[name] = lifecycle.ended_with(container, ended, self._settings.restarts)
        record.processes.pop(name, None)
        self._running.discard((objects.uid(record.pod), name))
        self._logs.ended(file)
        self._controller.queue.add(objects.key(record.pod))
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        for record in self._records.values():
            if any(isinstance(each.state, Waiting) for each in record.containers.values()):
                self._controller.queue.add(objects.key(record.pod))

    async def _publish(self, record: _Record) -> None:
        status = podstatus.status_for(
            record.pod, list(record.containers.values()), record.address, self._clock.wall()
        )
        ensured = await apply.ensure_status(self._client, PODS, record.pod, status)
        record.pod = ensured.object

    # The end.

    async def _stop(self, record: _Record) -> Result | None:
        """Stop a pod that is being deleted, within its grace, and let it go."""
        now = self._clock.wall()
        if record.processes:
            grace = objects.metadata(record.pod).get("deletionGracePeriodSeconds")
            seconds = DEFAULT_GRACE if grace is None else int(grace)
            if record.kill_at is None:
                record.kill_at = now + timedelta(seconds=seconds)
                _signal(record, signal.SIGTERM)
                for name in record.processes:
                    self._recorder.normal(record.pod, "Killing", f"Stopping container {name}")
            record.kill_at = min(record.kill_at, now + timedelta(seconds=seconds))
            if now >= record.kill_at:
                _signal(record, signal.SIGKILL)
                return Result(again_in=_RETRY)
            return Result(again_in=(record.kill_at - now).total_seconds())
        await self._finish(record.pod)
        return None

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
            _signal(record, signal.SIGKILL)
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


def _signal(record: _Record, number: int) -> None:
    for process in record.processes.values():
        process.signal(number)


def _is_well(message: str) -> bool:
    """Whether a worker whose exit code nobody saw says that its work is done.

    In doubt it is not: the worker is started again, and finds out.
    """
    ended = Termination.from_message(message)
    return message.startswith("{") and bool(ended.message) and ended.done and not ended.reason


def _termination(file: Path) -> str:
    try:
        with file.open("rb") as message:
            return message.read(LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
