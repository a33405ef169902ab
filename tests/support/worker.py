"""Run an importer as a node does: a process with an order in its environment, and mounts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cdi.api import roles
from cdi.api.quantity import parse
from cdi.api.termination import Termination
from cdi.api.workorder import WorkOrder


@dataclass(frozen=True)
class Ended:
    """How a worker ended, and what it logged."""

    status: int
    termination: Termination
    log: str


class Mounts:
    """The places of one worker, beneath a folder."""

    def __init__(self, folder: Path, block: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.disk = self.data / "disk.img"
        self.certs = folder / "certs"
        self.headers = folder / "headers"
        self.google = folder / "google"
        self.registry = folder / "registry"
        self.shared = folder / "shared"
        self.state = folder / "state"
        self.scratch = folder / "scratch"  # made by tests that have scratch space
        self.termination = folder / "termination-log"
        self.port_file = folder / "metrics-port"
        self._block = block
        places = (self.data, self.certs, self.headers, self.google, self.registry, self.shared)
        for place in (*places, self.state):
            place.mkdir()

    @property
    def env(self) -> dict[str, str]:
        """The variables that say where everything is."""
        return {
            "CDI_DATA_DIR": str(self.data),
            "CDI_BLOCK_DEVICE": str(self._block or self.folder / "no-device"),
            "CDI_SCRATCH_DIR": str(self.scratch),
            "CDI_CERT_DIR": str(self.certs),
            "CDI_PROXY_CERT_DIR": str(self.folder / "no-proxy-certs"),
            "CDI_EXTRA_HEADERS_DIR": str(self.headers),
            "CDI_GOOGLE_DIR": str(self.google),
            "CDI_REGISTRY_DIR": str(self.registry),
            "CDI_SHARED_DIR": str(self.shared),
            "CDI_STATE_DIR": str(self.state),
            "CDI_TERMINATION_LOG": str(self.termination),
            "CDI_METRICS_ADDRESS": "127.0.0.1",
            "CDI_METRICS_PORT": "0",
        }


def start(
    order: WorkOrder,
    mounts: Mounts,
    *,
    prefix: Sequence[str] = (),
    module: str = roles.IMPORTER,
    **more: str,
) -> subprocess.Popen[str]:
    """Begin an import in a process of its own; `prefix` is a command that starts it."""
    mounts.termination.unlink(missing_ok=True)
    env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", module],
        stderr=subprocess.PIPE,
        text=True,
        env=env | order.to_env() | mounts.env | more,
    )


def ended(process: subprocess.Popen[str], mounts: Mounts) -> Ended:
    """Wait for the end of an import."""
    _, log = process.communicate(timeout=60)
    text = mounts.termination.read_text() if mounts.termination.exists() else ""
    return Ended(process.returncode, Termination.from_message(text, process.returncode), log)


def run(order: WorkOrder, mounts: Mounts, **more: str) -> Ended:
    """Import and wait."""
    return ended(start(order, mounts, **more), mounts)


def measure(order: WorkOrder, mounts: Mounts) -> Ended:
    """Ask for the size of the disk at a source, and wait."""
    return ended(start(order, mounts, module=roles.SOURCE_SIZE), mounts)


def order(url: str = "", size: str = "32Mi", **more: object) -> WorkOrder:
    """An order for an http import, or for a blank disk where there is no URL."""
    kind = "http" if url else "none"
    fields = {"source": kind, "endpoint": url, "image_size": parse(size), "owner_uid": "uid-1"}
    return WorkOrder(**(fields | more))
