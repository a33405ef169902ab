"""What whoever runs the agent decides."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from cdi.standalone.agent.lifecycle import Restarts
from cdi.standalone.agent.workeruser import WorkerUser


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the agent works, which images are ours, and how much it runs at once."""

    data_dir: Path
    images: Collection[str]  # that are ours
    restarts: Restarts = field(default_factory=Restarts)
    # Each worker has a process of some 60 MiB, and starting one takes a fraction of a core.
    most_running: int = 8 * (os.cpu_count() or 1)
    # Upload servers mostly wait, for hours perhaps: they take no other worker's turn.
    most_serving: int = 100
    vddk_library: Path | None = None  # VMware's library, if this machine has it
    user: WorkerUser | None = None  # that workers are; None: the one that the agent is
    missing_walls: str = ""  # around workers and their tools, for people; empty: none is
    require_walls: bool = False  # rather than let workers' tools run without
