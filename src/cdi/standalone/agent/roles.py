"""
Which containers are our workers: the image says that it is ours, the command which one it is.

Nothing else is ever started: an image is not unpacked here, and a command is not run; it only
chooses among the modules of `cdi.workers`. The one image of somebody else's that a pod may name
is the source of a node pull: a worker of ours stands in for the container, and hands out the
disk in that image without running anything of it. Pure.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.api import roles
from cdi.api.environment import Environment
from cdi.api.workersettings import IDLE_TIMEOUT, REQUIRE_WALLS, STALL_TIMEOUT
from cdi.api.workorder import CloneOrder, CopyOrder, PollOrder, UploadOrder, WorkOrder
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.standalone.agent import vddk

WORKERS = "cdi.workers"
IMAGE_SERVER = f"{WORKERS}.imageserver"
# What a container runtime has, and a worker otherwise has not: the way to registries.
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# Each worker, and what it is told; those without an order have arguments, or need nothing.
_ORDERS: Final[Mapping[str, type[Environment] | None]] = {
    roles.IMPORTER: WorkOrder,
    roles.POLLER: PollOrder,
    roles.UPLOAD_SERVER: UploadOrder,
    roles.CLONE_SOURCE: CloneOrder,
    roles.COPIER: CopyOrder,
    roles.IMAGE_SIZE: None,
    roles.SOURCE_SIZE: WorkOrder,
    roles.PREP: None,
    IMAGE_SERVER: None,
}
_SERVER = "/shared/server"  # what serves an image's disk, where a runtime has pulled the image
_SERVER_BINARY = "cdi-containerimage-server"  # from where an init container copies it


@dataclass(frozen=True, slots=True)
class Role:
    """How one container is started."""

    module: str
    arguments: tuple[str, ...] = ()
    pulls: bool = False  # it stands in for a container runtime, with its proxies and logins
    waited_for: bool = False  # another container of the pod waits for this one to run

    @property
    def serves(self) -> bool:
        """Whether it waits for others to come, rather than work to its end."""
        return self.module == roles.UPLOAD_SERVER

    def reads(self, variable: str) -> bool:
        """Whether a variable that the pod gives means anything to the worker.

        It gets no others: there are interpreters, loaders and libraries that others would steer.
        """
        order = _ORDERS[self.module]
        known = order is not None and order.knows(variable)
        return known or variable in (STALL_TIMEOUT, IDLE_TIMEOUT, REQUIRE_WALLS)


def role_of(container: Object, images: Collection[str]) -> Role | None:
    """Return the worker that a container means, or None if it is not one of ours."""
    command = [*container.get("command", []), *container.get("args", [])]
    if command[:1] == [_SERVER]:
        told = ("-image", str(container.get("image")), *command[1:])
        return Role(IMAGE_SERVER, told, pulls=True, waited_for=True)
    if container.get("image") not in images:
        return None
    for place, word in enumerate(command):
        if word == "-m" and place + 1 < len(command):
            module = command[place + 1]
            known = module in _ORDERS and importlib.util.find_spec(module)
            return Role(module, tuple(command[place + 2 :])) if known else None
    return None


def refusal(pod: Object, images: Collection[str], library: Path | None = None) -> str:
    """Return why a pod does not run here; empty if all of its containers are our workers.

    `library` is where this machine has VMware's library, if it does.
    """
    for container in objects.get(pod, "spec", "initContainers", default=[]):
        if _does_nothing(container, images):
            continue
        if container.get("name") != vddk.SIDE_CAR:
            return "this machine runs CDI's own workers only, and those have no init containers"
        if library is None:
            return vddk.MISSING
    for container in objects.get(pod, "spec", "containers", default=[]):
        if role_of(container, images) is None:
            image, name = container.get("image"), container.get("name")
            return (
                "this machine runs CDI's own workers only, "
                f'not image "{image}" of container "{name}"'
            )
    return ""


def _does_nothing(container: Object, images: Collection[str]) -> bool:
    """Whether a container only copies our image server, which is here already."""
    copies = any(_SERVER_BINARY in word for word in container.get("command", []))
    return container.get("image") in images and copies
