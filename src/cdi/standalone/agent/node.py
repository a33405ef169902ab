"""
The Node that stands for this machine, and its heart-beat.

It is ready from the start: what it could be short of does not stop a worker. The heart-beat is
the Lease that tells others, and the next agent, when this one was last alive.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from datetime import UTC
from typing import Final

from cdi.kube import apply, errors, tasks
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object
from cdi.kube.resource import LEASES, NAMESPACES, NODES
from cdi.standalone.agent import containers
from cdi.standalone.agent.podstatus import HOST

log = logging.getLogger(__name__)

NAME: Final = "cdi-local"
LEASE_NAMESPACE: Final = "kube-node-lease"
BEAT: Final = 10.0  # seconds
_LEASE_SECONDS: Final = 40
CONFINED: Final = "Confined"  # condition: whether all walls around workers stand
PODS: Final = 10_000  # as many as anybody wants: those that cannot run yet wait here

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def labels() -> dict[str, str]:
    """What pods can select the node by."""
    architecture = _architecture()
    return {
        "kubernetes.io/hostname": NAME,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": architecture,
    }


def bare() -> Object:
    """The Node as it is made: what anybody has put on it since, such as taints, is not there."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NAME, "labels": labels()},
        "spec": {},
    }


class Node:
    """Keeps the Node and its Lease. A part for a manager."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock | None = None,
        beat: float = BEAT,
        unwalled: str = "",
    ) -> None:
        """`unwalled` says what walls are missing around workers; empty if none is."""
        self.name = "node"
        self._client = client
        self._clock = clock or SystemClock()
        self._beat, self._unwalled = beat, unwalled
        self._there = asyncio.Event()

    async def ready(self) -> None:
        """Return once the Node exists and is ready."""
        await self._there.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Register, then keep the heart beating until `stop`."""
        await tasks.until(stop, self._live())

    async def _live(self) -> None:
        while True:
            try:
                if not self._there.is_set():
                    await self._register()
                    self._there.set()
                await self._renew()
            except (errors.KubeError, OSError) as error:
                log.warning("the node's heart-beat failed", extra={"cause": str(error)})
            await self._clock.sleep(self._beat if self._there.is_set() else 1.0)

    async def _register(self) -> None:
        now = containers.written(self._clock.wall())
        namespace: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": LEASE_NAMESPACE},
        }
        await apply.ensure_created(self._client, NAMESPACES, namespace)
        made = await apply.ensure_created(self._client, NODES, bare())
        kept = await apply.ensure_metadata(self._client, NODES, made.object, labels=labels())
        await apply.ensure_status(self._client, NODES, kept.object, _status(now, self._unwalled))

    async def _renew(self) -> None:
        moment = self._clock.wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

        def beat(lease: Object) -> None:
            lease["spec"] = {
                "holderIdentity": NAME,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": moment,
            }

        base: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": LEASE_NAMESPACE},
        }
        await apply.create_or_update(self._client, LEASES, base, beat)


def _status(now: str, unwalled: str) -> Object:
    resources = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{_memory() // 1024}Ki",
        "pods": str(PODS),
    }
    moment = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "AgentReady",
        "message": "the node agent is running",
    }
    confined = {
        "type": CONFINED,
        "status": "False" if unwalled else "True",
        "reason": "WallsMissing" if unwalled else "WallsStand",
        "message": unwalled or "workers and their tools are confined",
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": HOST},
            {"type": "Hostname", "address": NAME},
        ],
        "capacity": resources,
        "allocatable": dict(resources),
        "conditions": [ready | moment, confined | moment],
        "nodeInfo": {
            "architecture": _architecture(),
            "operatingSystem": "linux",
            "kernelVersion": platform.release(),
            "osImage": _os_image(),
            "containerRuntimeVersion": "cdi://processes",
            "kubeletVersion": "v1.32.0",
            "kubeProxyVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
