"""
The volumes of an importer pod, by what its claim asks for. `pod` joins them.
"""

from typing import Final

from cdi.api import annotations, names, workersettings
from cdi.controllers.importing import requests
from cdi.controllers.working.mounts import (
    Mount,
    data,
    is_block,
    of_config_map,
    of_secret,
    state,
)
from cdi.controllers.working.mounts import (
    scratch as scratch_mount,
)
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import scratch

SHARED: Final = "shared-volume"


def mounts_for(claim: Object, *, with_scratch: bool, proxy_ca: bool) -> list[Mount]:
    """Everything that the importer of a claim has mounted."""
    mounts = [data(claim)]
    if with_scratch:
        mounts.append(scratch_mount(claim))
    mounts += of_source(claim, proxy_ca=proxy_ca)
    if is_block(claim) and requests.source_of(claim) != requests.BLANK:
        mounts.append(state())
    return mounts


def of_source(claim: Object, *, proxy_ca: bool) -> list[Mount]:
    """What it takes to reach the source that a claim names."""
    given = objects.annotations(claim)
    mounts = []
    if is_node_pull(claim):
        mounts.append(Mount(SHARED, {"emptyDir": {}}, workersettings.SHARED_DIR))
    mounts += _vddk(claim)
    if requests.source_of(claim) == requests.BLANK:
        return mounts
    if certificates := given.get(annotations.CERT_CONFIG_MAP):
        mounts.append(Mount("cdi-cert-vol", of_config_map(certificates), workersettings.CERT_DIR))
    if proxy_ca:
        copied = names.proxy_certificates_for(objects.name(claim))
        mounts.append(
            Mount("cdi-proxy-cert-vol", of_config_map(copied), workersettings.PROXY_CERT_DIR)
        )
    if requests.source_of(claim) == requests.GCS and given.get(annotations.SECRET):
        mounts.append(
            Mount("cdi-secret-vol", of_secret(given[annotations.SECRET]), workersettings.GOOGLE_DIR)
        )
    if requests.source_of(claim) == requests.REGISTRY and not is_node_pull(claim):
        mounts += _registry_secret(given.get(annotations.SECRET, ""))
    if requests.source_of(claim) in requests.OF_POPULATORS and given.get(annotations.SECRET):
        mounts.append(
            Mount(
                "cdi-populator-secret-vol",
                of_secret(given[annotations.SECRET]),
                workersettings.POPULATOR_DIR,
            )
        )
    return mounts + _secret_headers(claim)


def is_node_pull(claim: Object) -> bool:
    """Whether the node fetches the image, rather than the importer."""
    method = objects.annotations(claim).get(annotations.REGISTRY_IMPORT_METHOD)
    return requests.source_of(claim) == requests.REGISTRY and method == scratch.NODE_PULL


def _vddk(claim: Object) -> list[Mount]:
    if requests.source_of(claim) != requests.VDDK:
        return []
    mounts = [Mount("vddk-vol-mount", {"emptyDir": {}}, workersettings.VDDK_DIR)]
    if arguments := objects.annotations(claim).get(annotations.VDDK_EXTRA_ARGS):
        mounts.append(
            Mount("vddk-extra-args", of_config_map(arguments), workersettings.VDDK_ARGS_DIR)
        )
    return mounts


def _registry_secret(name: str) -> list[Mount]:
    """All of a Secret, which may be one that container tools read."""
    return (
        [Mount("cdi-registry-secret-vol", of_secret(name), workersettings.REGISTRY_DIR)]
        if name
        else []
    )


def _secret_headers(claim: Object) -> list[Mount]:
    return [
        Mount(
            f"cdi-secret-extra-headers-vol-{number}",
            of_secret(name),
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
