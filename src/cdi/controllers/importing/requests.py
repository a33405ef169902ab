"""
The annotations by which a claim asks for an import.

Here: writing them for the source of a DataVolume or VolumeImportSource, and telling claims that
ask. A source is a plain dict with one member, as it stands in `spec.source`; none means blank.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cdi.api import annotations, workorder
from cdi.kube import objects
from cdi.kube.objects import Object

IMPORTABLE: Final = ("http", "s3", "gcs", "registry", "imageio", "vddk", "blank")

HTTP: Final = "http"
GCS: Final = "gcs"
REGISTRY: Final = "registry"
IMAGEIO: Final = "imageio"
VDDK: Final = "vddk"
OVIRT: Final = "ovirt"  # and the next one: only populators of their own ask for these
OPENSTACK: Final = "openstack"
BLANK: Final = workorder.BLANK
_KNOWN: Final = frozenset({HTTP, "s3", GCS, REGISTRY, IMAGEIO, VDDK, BLANK, OVIRT, OPENSTACK})
OF_POPULATORS: Final = frozenset({OVIRT, OPENSTACK})

_MULTI_STAGE: Final = (VDDK, IMAGEIO)


def asks_for_import(claim: Object) -> bool:
    given = objects.annotations(claim)
    return annotations.ENDPOINT in given or annotations.SOURCE in given


def source_of(claim: Object) -> str:
    """The kind of source that a claim's annotations name; what nobody knows is http."""
    said = objects.annotations(claim).get(annotations.SOURCE, "")
    return said if said in _KNOWN else HTTP


def can_have_stages(source: Mapping[str, Any]) -> bool:
    """Whether an import from this source may have several stages."""
    return any(source.get(kind) is not None for kind in _MULTI_STAGE)


def annotations_for(source: Mapping[str, Any]) -> dict[str, str]:
    """The annotations that ask for an import from a source."""
    for kind, write in _WRITERS.items():
        if source.get(kind) is not None:
            return {annotations.SOURCE: kind} | _given(write(source[kind]))
    return {annotations.SOURCE: BLANK}


Fields = Mapping[str, Any]


def _given(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value}


def _reached(fields: Fields) -> dict[str, Any]:
    """What most sources have: an address, credentials, certificates."""
    return {
        annotations.ENDPOINT: fields.get("url"),
        annotations.SECRET: fields.get("secretRef"),
        annotations.CERT_CONFIG_MAP: fields.get("certConfigMap"),
    }


def _unverified(fields: Fields) -> dict[str, Any]:
    trusts_all = fields.get("insecureSkipVerify") is True
    return {annotations.INSECURE_SKIP_VERIFY: annotations.TRUE} if trusts_all else {}


def _http(fields: Fields) -> dict[str, Any]:
    headers = enumerate(fields.get("extraHeaders") or ())
    secret = enumerate(fields.get("secretExtraHeaders") or ())
    return {
        **_reached(fields),
        annotations.CHECKSUM: fields.get("checksum"),
        **_unverified(fields),
        **{annotations.extra_header(number): line for number, line in headers},
        **{annotations.secret_extra_header(number): name for number, name in secret},
    }


def _gcs(fields: Fields) -> dict[str, Any]:
    return {
        annotations.ENDPOINT: fields.get("url"),
        annotations.SECRET: fields.get("secretRef"),
    }


def _registry(fields: Fields) -> dict[str, Any]:
    values = {
        **_reached(fields),
        annotations.REGISTRY_IMPORT_METHOD: fields.get("pullMethod"),
        annotations.REGISTRY_ARCHITECTURE: objects.get(fields, "platform", "architecture"),
    }
    if not fields.get("url") and fields.get("imageStream"):
        values[annotations.ENDPOINT] = fields["imageStream"]
        values[annotations.REGISTRY_IMAGE_STREAM] = annotations.TRUE
    return values


def _imageio(fields: Fields) -> dict[str, Any]:
    disk = {annotations.DISK_ID: fields.get("diskId")}
    return {**_reached(fields), **disk, **_unverified(fields)}


def _vddk(fields: Fields) -> dict[str, Any]:
    return {
        **_reached(fields),
        annotations.BACKING_FILE: fields.get("backingFile"),
        annotations.UUID: fields.get("uuid"),
        annotations.THUMBPRINT: fields.get("thumbprint"),
        annotations.VDDK_INIT_IMAGE: fields.get("initImageURL"),
        annotations.VDDK_EXTRA_ARGS: fields.get("extraArgs"),
    }


_WRITERS: Final[Mapping[str, Callable[[Fields], dict[str, Any]]]] = {
    HTTP: _http,
    "s3": _reached,
    GCS: _gcs,
    REGISTRY: _registry,
    IMAGEIO: _imageio,
    VDDK: _vddk,
}
