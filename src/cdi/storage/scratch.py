"""
Scratch claims: when a worker needs one, of which class, how large.

A scratch claim is a Filesystem volume that one pod uses beside its target and that goes with
the pod. It is made as large as the disk that fits into the target. Sizes are in bytes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import classes, documents, modes, overhead

Object = dict[str, Any]

REGISTRY: Final = "registry"
IMAGEIO: Final = "imageio"
GLANCE: Final = "glance"  # legacy; read as http
NODE_PULL: Final = "node"


def is_given_from_start(claim_annotations: Mapping[str, str]) -> bool:
    """Tell whether a cluster's importer gets scratch space with its first pod.

    What every importer of this API could rely on. An importer that streams needs less, and asks
    at run time in the few cases where it must; the annotation then says so.
    """
    source = claim_annotations.get(annotations.SOURCE, "")
    by_node = claim_annotations.get(annotations.REGISTRY_IMPORT_METHOD) == NODE_PULL
    return (
        claim_annotations.get(annotations.CONTENT_TYPE) == modes.ARCHIVE
        or source == GLANCE
        or (source == REGISTRY and not by_node)
        or (source == IMAGEIO and bool(claim_annotations.get(annotations.CHECKPOINT_CURRENT)))
        or is_asked_for(claim_annotations)
    )


def is_asked_for(claim_annotations: Mapping[str, str]) -> bool:
    """Tell whether an importer has asked to be run again with scratch space."""
    return claim_annotations.get(annotations.REQUIRES_SCRATCH) == annotations.TRUE


def class_for(
    config: Mapping[str, Any] | None,
    target: Mapping[str, Any],
    storage_classes: Iterable[Object] = (),
) -> str | None:
    """Return the class of a scratch claim, given the CDIConfig and the target claim.

    The target's own word wins, by annotation; then the class that is set for all, if it exists;
    then the cluster's default, then the class of the target, which may have no file systems. None
    means that there is no class at all.
    """
    said = documents.annotation(target, annotations.SCRATCH_CLASS)
    chosen = said or documents.at(config, "status", "scratchSpaceStorageClass")
    default = classes.default(storage_classes)
    return (
        chosen
        or (documents.name(default) if default else None)
        or documents.at(target, "spec", "storageClassName")
    )


def why_pending(class_name: str | None, storage_classes: Iterable[Object]) -> str:
    """Return why a scratch claim of this class will get no volume; empty if nothing is known."""
    if not class_name:
        return (
            "there is no StorageClass for it; mark one as default, or set "
            f"scratchSpaceStorageClass of CDI, or annotation {annotations.SCRATCH_CLASS}"
        )
    if classes.named(storage_classes, class_name) is None:
        return f"StorageClass {class_name} does not exist; create it, or name another one"
    return ""


def size_for(target_request: int, target_overhead: float, scratch_overhead: float) -> int:
    """Return the size of a scratch claim; the target's overhead is 0 if it is a Block volume."""
    disk = overhead.usable(target_request, target_overhead)
    return overhead.ceil_mib(overhead.required(disk, scratch_overhead))


def claim_spec_for(class_name: str | None, size: int, limit: str | None = None) -> Object:
    """Return the spec of a scratch claim; `limit` is the target's storage limit, if it has one."""
    resources: Object = {"requests": {"storage": str(size)}}
    if limit is not None:
        resources["limits"] = {"storage": limit}
    spec: Object = {"accessModes": [modes.RWO], "resources": resources}
    if class_name is not None:
        spec["storageClassName"] = class_name
    return spec


def annotations_for(claim: Mapping[str, Any], *, is_populator: bool) -> dict[str, str]:
    """Return the annotations that a scratch claim inherits from its target."""
    given: Mapping[str, str] = documents.at(claim, "metadata", "annotations") or {}
    kept = {
        key: value
        for key, value in given.items()
        if "kubevirt.io/" in key and "cdi.kubevirt.io/" not in key
    }
    if is_populator and annotations.SELECTED_NODE in given:
        kept[annotations.SELECTED_NODE] = given[annotations.SELECTED_NODE]
    return kept
