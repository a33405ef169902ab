"""
The containers of this node: started with all they need, found again, and read when they end.

It decides nothing. What a container may still lack is raised as what it waits for.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cdi.api.termination import LONGEST, Termination
from cdi.api.workersettings import WorkerSettings
from cdi.images.sources.registry import prepare
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS
from cdi.standalone.agent import (
    addresses,
    containers,
    environment,
    lifecycle,
    mounts,
    processes,
    roles,
)
from cdi.standalone.agent.containers import Container, Ended, Running
from cdi.standalone.agent.logs import Logs, tail
from cdi.standalone.agent.mounts import Mounter
from cdi.standalone.agent.record import Record
from cdi.standalone.agent.roles import Role
from cdi.standalone.agent.settings import Settings
from cdi.standalone.agent.workeruser import WorkerUser

# A worker leaves within 5 s of being asked to.
PATIENCE: Final = 6.0


class Runtime:
    """Starts the containers of pods as processes."""

    def __init__(
        self, client: Client, mounter: Mounter, logs: Logs, settings: Settings, clock: Clock
    ) -> None:
        self._client, self._mounter, self._logs = client, mounter, logs
        self._restarts, self._user, self._clock = settings.restarts, settings.user, clock
        self._require_walls = settings.require_walls

    async def start(self, record: Record, name: str, role: Role, taken: Collection[str]) -> Path:
        """Start a container of a pod, whose address is none of those `taken`; return its log.

        Raises mounts.NotReady or environment.Missing for what is not there yet, and
        mounts.Unsupported or OSError for what cannot be done.
        """
        pod, lookup = record.pod, self._lookup_in(objects.namespace(record.pod))
        directory = self._mounter.directory(objects.uid(pod))
        reach = await self._mounter.mount(pod, lookup)
        if not record.address:
            record.address = addresses.address_for(objects.uid(pod), taken)
            pod = {**pod, "status": {**(pod.get("status") or {}), "podIP": record.address}}
        given = await environment.environment_for(record.spec(name), pod, lookup)
        directory.prepare_termination_log(name, self._user)
        started = lifecycle.started(record.containers[name], self._clock.wall())
        file = self._logs.file(pod, name, started.attempt)
        settings = mounts.settings_for(directory, name, record.address)
        env = _environment(role, given, replace(settings, require_walls=self._require_walls))
        if role.pulls:
            env |= _registry_login(directory.container(name), self._user)
        process = await processes.Process.start(
            role,
            env,
            directory.container(name),
            file,
            user=self._user,
            reach=reach,
        )
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


def _environment(role: Role, given: Mapping[str, str], settings: WorkerSettings) -> dict[str, str]:
    """What a worker is told; what its pod gives beyond that goes nowhere."""
    kept = (*environment.INHERITED, *(roles.PROXIES if role.pulls else ()))
    inherited = {key: os.environ[key] for key in kept if key in os.environ}
    read = {name: value for name, value in given.items() if role.reads(name)}
    return inherited | read | settings.to_env() | {"LISTEN_ADDRESS": settings.metrics_address}


def _registry_login(container: Path, user: WorkerUser | None) -> dict[str, str]:
    """Let a worker that pulls images read what this machine's container tools have stored."""
    stored = prepare.auth_file(os.environ)
    if stored is None or user is None:
        return {"REGISTRY_AUTH_FILE": str(stored)} if stored else {}
    file = container / "auth.json"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(stored.read_bytes())
    os.chown(file, user.uid, user.gid)
    return {"REGISTRY_AUTH_FILE": str(file)}


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
