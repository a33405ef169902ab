"""
The status of the CDIConfig: every setting as it is in effect.

Settings do not depend on each other: one that makes no sense keeps its default and is told as
a problem, and all the others take effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import classes, documents, overhead, podresources, proxy

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """Where clients reach the upload proxy, as found in the cluster."""

    host: str | None = None
    ca: str | None = None  # PEM


@dataclass(frozen=True, slots=True)
class Seen:
    """What the status follows from."""

    spec: Object
    status: Object  # as it is now
    classes: Sequence[Object] = ()  # StorageClasses
    upload: Upload = Upload()
    cluster_proxy: Object | None = None  # OpenShift's Proxy, where there is one


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that makes no sense, for a Warning event."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the status should be."""

    status: Object
    problems: tuple[Problem, ...] = ()


def spec_for(
    spec: Mapping[str, Any], installation: Mapping[str, Any] | None, *, operated: bool = True
) -> Object:
    """Return the spec that counts, given that of the CDIConfig and the active CDI.

    A CDI with the annotation is the authority: it overwrites whatever was edited by hand. An
    operator sets the annotation; where none is at work (`operated`), what a CDI says counts as
    it is, and one that says nothing leaves the CDIConfig alone.
    """
    said = documents.at(installation, "spec", "config")
    if documents.annotation(installation, annotations.CONFIG_AUTHORITY) is not None:
        return dict(said or {})
    return dict(spec) if operated or said is None else dict(said)


def status_for(seen: Seen) -> Wanted:
    """Return the status; its spec is the one that counts, see `spec_for`."""
    spec = seen.spec
    shares, problems = _overheads(spec.get("filesystemOverhead"), seen.classes)
    status: Object = {
        **_upload(seen),
        "scratchSpaceStorageClass": _scratch_class(spec, seen.classes),
        "defaultPodResourceRequirements": podresources.resources_for(
            spec.get("podResourceRequirements")
        ),
        "filesystemOverhead": shares,
        "importProxy": proxy.proxy_for(spec.get("importProxy"), seen.cluster_proxy),
        "preallocation": bool(spec.get("preallocation")),
    }
    if spec.get("imagePullSecrets"):
        status["imagePullSecrets"] = spec["imagePullSecrets"]
    return Wanted(status, tuple(problems))


def preallocates(said: bool | None, config: Mapping[str, Any] | None) -> bool:
    """Tell whether a whole volume is allocated, given what its DataVolume or source says."""
    if said is not None:
        return said
    return bool(documents.at(config, "status", "preallocation"))


_PATH: Final = "spec.filesystemOverhead"


def _upload(seen: Seen) -> Object:
    override = seen.spec.get("uploadProxyURLOverride")
    if override is not None:
        found = {"uploadProxyURL": override, "uploadProxyCA": seen.status.get("uploadProxyCA")}
    else:
        found = {"uploadProxyURL": seen.upload.host, "uploadProxyCA": seen.upload.ca}
    return {key: value for key, value in found.items() if value is not None}


def _scratch_class(spec: Mapping[str, Any], storage_classes: Sequence[Object]) -> str:
    name = str(spec.get("scratchSpaceStorageClass") or "")
    return name if name and classes.named(storage_classes, name) else ""


def _overheads(
    said: Mapping[str, Any] | None, storage_classes: Sequence[Object]
) -> tuple[Object, list[Problem]]:
    """Return the overhead of every class there is, and what was said amiss."""
    problems: list[Problem] = []
    usual = _share(documents.at(said, "global"), overhead.DEFAULT, f"{_PATH}.global", problems)
    by_class = documents.at(said, "storageClass") or {}
    names = sorted(documents.name(each) for each in storage_classes)
    shares = {
        name: _share(by_class.get(name), usual, f"{_PATH}.storageClass[{name}]", problems)
        for name in names
    }
    return {"global": usual, "storageClass": shares}, problems


def _share(said: str | None, otherwise: str, field: str, problems: list[Problem]) -> str:
    if said is None:
        return otherwise
    if overhead.is_valid(said):
        return said
    text = f"{said!r} is not 0, 1 or up to three decimals between them; {otherwise} is used"
    problems.append(Problem(field, f"{field}: {text}"))
    return otherwise
