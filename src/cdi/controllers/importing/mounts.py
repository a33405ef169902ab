"""
The volumes of an importer pod, each with its mount and the part of the order that says so.

A `Mount` is one fragment of a pod; `mounts_for` names those that a claim needs, and `pod` joins
them. Paths are those of `cdi.api.workersettings`.
"""

from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, names, workersettings
from cdi.controllers.importing import requests
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import modes, scratch

DATA: Final = "cdi-data-vol"
SCRATCH: Final = "cdi-scratch-vol"
SHARED: Final = "shared-volume"
STATE: Final = "cdi-state-vol"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and where the importer has it. A `device` is a path, not a directory."""

    name: str
    source: dict[str, Any]
    path: str
    device: bool = False

    @property
    def volume(self) -> Object:
        return {"name": self.name, **self.source}

    @property
    def in_container(self) -> Object:
        key = "devicePath" if self.device else "mountPath"
        return {"name": self.name, key: self.path}


def mounts_for(claim: Object, *, with_scratch: bool, proxy_ca: bool) -> list[Mount]:
    """Everything that the importer of a claim has mounted."""
    given = objects.annotations(claim)
    mounts = [_data(claim)]
    if with_scratch:
        name = names.scratch_for(objects.name(claim))
        mounts.append(Mount(SCRATCH, _claim(name), workersettings.SCRATCH_DIR))
    if is_node_pull(claim):
        mounts.append(Mount(SHARED, {"emptyDir": {}}, workersettings.SHARED_DIR))
    mounts += _vddk(claim)
    if requests.source_of(claim) == requests.BLANK:
        return mounts
    if certificates := given.get(annotations.CERT_CONFIG_MAP):
        mounts.append(Mount("cdi-cert-vol", _config_map(certificates), workersettings.CERT_DIR))
    if proxy_ca:
        copied = names.proxy_certificates_for(objects.name(claim))
        mounts.append(
            Mount("cdi-proxy-cert-vol", _config_map(copied), workersettings.PROXY_CERT_DIR)
        )
    if requests.source_of(claim) == requests.GCS and given.get(annotations.SECRET):
        mounts.append(
            Mount("cdi-secret-vol", _secret(given[annotations.SECRET]), workersettings.GOOGLE_DIR)
        )
    if requests.source_of(claim) == requests.REGISTRY and not is_node_pull(claim):
        mounts += _registry_secret(given.get(annotations.SECRET, ""))
    mounts += _secret_headers(claim)
    if is_block(claim):
        # A device has no place for a journal, and a container that is started again a new /tmp.
        mounts.append(Mount(STATE, {"emptyDir": {}}, workersettings.STATE_DIR))
    return mounts


def is_node_pull(claim: Object) -> bool:
    """Whether the node fetches the image, rather than the importer."""
    method = objects.annotations(claim).get(annotations.REGISTRY_IMPORT_METHOD)
    return requests.source_of(claim) == requests.REGISTRY and method == scratch.NODE_PULL


def is_block(claim: Object) -> bool:
    return bool(objects.get(claim, "spec", "volumeMode") == modes.BLOCK)


def _data(claim: Object) -> Mount:
    source = _claim(objects.name(claim))
    if is_block(claim):
        return Mount(DATA, source, workersettings.BLOCK_DEVICE, device=True)
    return Mount(DATA, source, workersettings.DATA_DIR)


def _vddk(claim: Object) -> list[Mount]:
    if requests.source_of(claim) != requests.VDDK:
        return []
    mounts = [Mount("vddk-vol-mount", {"emptyDir": {}}, workersettings.VDDK_DIR)]
    if arguments := objects.annotations(claim).get(annotations.VDDK_EXTRA_ARGS):
        mounts.append(
            Mount("vddk-extra-args", _config_map(arguments), workersettings.VDDK_ARGS_DIR)
        )
    return mounts


def _registry_secret(name: str) -> list[Mount]:
    """All of a Secret, which may be one that container tools read."""
    return (
        [Mount("cdi-registry-secret-vol", _secret(name), workersettings.REGISTRY_DIR)]
        if name
        else []
    )


def _secret_headers(claim: Object) -> list[Mount]:
    return [
        Mount(
            f"cdi-secret-extra-headers-vol-{number}",
            _secret(name),
            f"{workersettings.EXTRA_HEADERS_DIR}/{number}",
        )
        for number, name in enumerate(numbered(claim, annotations.SECRET_EXTRA_HEADERS))
    ]


def numbered(claim: Object, prefix: str) -> list[str]:
    """The values of annotations whose keys end in a number, in order of the numbers."""
    found = {
        int(number): value
        for key, value in objects.annotations(claim).items()
        if key.startswith(f"{prefix}.") and (number := key.removeprefix(f"{prefix}.")).isdecimal()
    }
    return [found[number] for number in sorted(found)]


def _claim(name: str) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name}}


def _config_map(name: str) -> dict[str, Any]:
    return {"configMap": {"name": name}}


def _secret(name: str) -> dict[str, Any]:
    return {"secret": {"secretName": name}}
