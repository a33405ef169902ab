"""What the agent knows about one pod while it runs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from cdi.kube.objects import Object
from cdi.standalone.agent.containers import Container, Waiting
from cdi.standalone.agent.processes import Process


@dataclass(slots=True)
class Record:
    """What is known about one pod, beyond what the API knows. Containers go by their names."""

    pod: Object
    address: str = ""
    containers: dict[str, Container] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    watching: set[asyncio.Task[None]] = field(default_factory=set)
    probes: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    kill_at: datetime | None = None  # once it is being stopped

    def spec(self, name: str) -> Object:
        """Return what the pod asks for in a container."""
        found: Object = next(one for one in self.pod["spec"]["containers"] if one["name"] == name)
        return found

    def waits(self) -> bool:
        """Whether a container has yet to start."""
        return any(isinstance(each.state, Waiting) for each in self.containers.values())

    def signal(self, number: int) -> None:
        """Send a signal to every process of the pod."""
        for process in self.processes.values():
            process.signal(number)
