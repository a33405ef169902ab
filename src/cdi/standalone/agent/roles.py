"""
Which containers are our workers: the image says that it is ours, the command which one it is.

Nothing else is ever started: an image is not unpacked here, and a command is not run; it only
chooses among the modules of `cdi.workers`. The one image of somebody else's that a pod may name
is the source of a node pull: a worker of ours stands in for the container, and hands out the
disk in that image without running anything of it. Pure.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.standalone.agent import vddk

WORKERS = "cdi.workers"
IMAGE_SERVER = f"{WORKERS}.imageserver"
# What a container runtime has, and a worker otherwise has not: the way to registries.
_OF_RUNTIME = (
    *("HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
_SERVER = "/shared/server"  # what serves an image's disk, where a runtime has pulled the image
_SERVER_BINARY = "cdi-containerimage-server"  # from where an init container copies it
_MODULE = re.compile(re.escape(WORKERS) + r"\.([a-z][a-z_]*)")


@dataclass(frozen=True, slots=True)
class Role:
    """How one container is started."""

    module: str
    arguments: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()  # variables of the agent's own environment
    waited_for: bool = False  # another container of the pod waits for this one to run


def role_of(container: Object, images: Collection[str]) -> Role | None:
    """Return the worker that a container means, or None if it is not one of ours."""
    command = [*container.get("command", []), *container.get("args", [])]
    if command[:1] == [_SERVER]:
        told = ("-image", str(container.get("image")), *command[1:])
        return Role(IMAGE_SERVER, told, _OF_RUNTIME, waited_for=True)
    if container.get("image") not in images:
        return None
    for place, word in enumerate(command):
        if word == "-m" and place + 1 < len(command):
            module = command[place + 1]
            known = _MODULE.fullmatch(module) and importlib.util.find_spec(module)
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
