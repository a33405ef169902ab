"""
The containers of this node: started with all they need, found again, and read when they end.

It decides nothing. What a container may still lack is raised as what it waits for.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from cdi.api.termination import LONGEST, Termination
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS
from cdi.standalone.agent import addresses, containers, environment, lifecycle, mounts, processes
from cdi.standalone.agent.containers import Container, Ended, Running
from cdi.standalone.agent.lifecycle import Restarts
from cdi.standalone.agent.logs import Logs, tail
from cdi.standalone.agent.mounts import Mounter
from cdi.standalone.agent.record import Record
from cdi.standalone.agent.roles import Role

# A worker leaves within 5 s of being asked to.
PATIENCE: Final = 6.0


class Runtime:
    """Starts the containers of pods as processes."""

    def __init__(
        self, client: Client, mounter: Mounter, logs: Logs, restarts: Restarts, clock: Clock
    ) -> None:
        self._client, self._mounter, self._logs = client, mounter, logs
        self._restarts, self._clock = restarts, clock

    async def start(self, record: Record, name: str, role: Role, taken: Collection[str]) -> Path:
        """Start a container of a pod, whose address is none of those `taken`; return its log.

        Raises mounts.NotReady or environment.Missing for what is not there yet, and
        mounts.Unsupported or OSError for what cannot be done.
        """
        pod, lookup = record.pod, self._lookup_in(objects.namespace(record.pod))
        directory = self._mounter.directory(objects.uid(pod))
        await self._mounter.mount(pod, lookup)
        if not record.address:
            record.address = addresses.address_for(objects.uid(pod), taken)
            pod = {**pod, "status": {**(pod.get("status") or {}), "podIP": record.address}}
        given = await environment.environment_for(record.spec(name), pod, lookup)
        settings = mounts.settings_for(directory, name, record.address)
        kept = (*environment.INHERITED, *role.inherits)
        inherited = {key: os.environ[key] for key in kept if key in os.environ}
        env = inherited | given | settings.to_env() | {"LISTEN_ADDRESS": record.address}
        directory.termination_log(name).unlink(missing_ok=True)
        started = lifecycle.started(record.containers[name], self._clock.wall())
        file = self._logs.file(pod, name, started.attempt)
        process = await processes.Process.start(role, env, directory.container(name), file)
        record.containers[name], record.processes[name] = started, process
        self._logs.began(file)
        return file

    def _lookup_in(self, namespace: str) -> environment.Lookup:
        resources = {"secret": SECRETS, "configmap": CONFIG_MAPS}

        async def lookup(kind: str, name: str) -> Object | None:
            try:
                return await self._client.get(resources[kind], name, namespace)
            except (errors.NotFound, ValueError):
                return None

        return lookup

    def ended(self, record: Record, name: str, code: int, file: Path) -> None:
        """Note that a container's process has ended, and what it left to say."""
        container = record.containers[name]
        started = container.state.started if isinstance(container.state, Running) else None
        now = self._clock.wall()
        directory = self._mounter.directory(objects.uid(record.pod))
        text = _termination(directory.termination_log(name))
        policy = record.spec(name).get("terminationMessagePolicy")
        if not text and code and policy == "FallbackToLogsOnError":
            text = tail(file)
        ended = Ended(code, started or now, now, text)
        record.containers[name] = lifecycle.ended_with(container, ended, self._restarts)
        record.processes.pop(name, None)
        self._logs.ended(file)

    async def recovered(self, pod: Object, container: Container) -> Container:
        """Return a container after the agent was away: what ran then is no longer ours."""
        directory = self._mounter.directory(objects.uid(pod))
        await processes.end_left(directory.container(container.name), PATIENCE)
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
        return replace(lifecycle.ended_with(container, ended, self._restarts), failures=0)


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
