"""
The volumes of a worker pod, each with its mount.

A `Mount` is one fragment of a pod; each room names those that its worker needs, and `pods` joins
them. Paths are those of `cdi.api.workersettings`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import names, workersettings
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import modes

DATA: Final = "cdi-data-vol"
SCRATCH: Final = "cdi-scratch-vol"
STATE: Final = "cdi-state-vol"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and where the worker has it. A `device` is a path, not a directory."""

    name: str
    source: dict[str, Any]
    path: str
    device: bool = False
    read_only: bool = False

    @property
    def volume(self) -> Object:
        return {"name": self.name, **self.source}

    @property
    def in_container(self) -> Object:
        key = "devicePath" if self.device else "mountPath"
        found: Object = {"name": self.name, key: self.path}
        return found | ({"readOnly": True} if self.read_only and not self.device else {})


def is_block(claim: Object) -> bool:
    return bool(objects.get(claim, "spec", "volumeMode") == modes.BLOCK)


def data(claim: Object, directory: str = workersettings.DATA_DIR) -> Mount:
    """The volume that is filled, or looked at: a directory, or the device."""
    source = of_claim(objects.name(claim))
    if is_block(claim):
        return Mount(DATA, source, workersettings.BLOCK_DEVICE, device=True)
    return Mount(DATA, source, directory)


def scratch(claim: Object) -> Mount:
    name = names.scratch_for(objects.name(claim))
    return Mount(SCRATCH, of_claim(name), workersettings.SCRATCH_DIR)


def state() -> Mount:
    """A device has no place for a journal, and a container that is started again a new /tmp."""
    return Mount(STATE, {"emptyDir": {}}, workersettings.STATE_DIR)


def of_claim(name: str) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name}}


def of_config_map(name: str) -> dict[str, Any]:
    return {"configMap": {"name": name}}


def of_secret(name: str) -> dict[str, Any]:
    return {"secret": {"secretName": name}}


def in_container(mounted: Iterable[Mount]) -> Object:
    """What a container says of them: directories, and devices."""
    mounted = list(mounted)
    found: Object = {}
    if directories := [mount.in_container for mount in mounted if not mount.device]:
        found["volumeMounts"] = directories
    if devices := [mount.in_container for mount in mounted if mount.device]:
        found["volumeDevices"] = devices
    return found
