"""
The size of a labelled claim that is filled by a clone and does not say how large it is.

It is taken from what is cloned. Objects in another namespace are looked at only after the
claim's clone token has been found to be good for them: a server sees more than its user may.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdi.api import annotations
from cdi.kube import objects
from cdi.storage import capabilities, classes, modes, rendering, sizes
from cdi.web.admission import resources
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import Object
from cdi.web.tokens.payload import CLAIM, SNAPSHOT, ClonePayload

# Returns what a token says, or None if it is not good: any more, or for anything.
TokenReader = Callable[[str], ClonePayload | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A claim that is being completed."""

    claim: Object
    spec: Object  # with its modes complete
    namespace: str
    cluster: rendering.Cluster


def is_clone(spec: Mapping[str, Any]) -> bool:
    """Tell whether a claim with this spec is filled by our clone populator."""
    reference = spec.get("dataSourceRef") or {}
    ours = ("cdi.kubevirt.io", "VolumeCloneSource")
    return (reference.get("apiGroup"), reference.get("kind")) == ours and bool(
        reference.get("name")
    )


def complete_size(target: Target, seen: Seen, read_token: TokenReader) -> Object:
    """Return the claim's spec with a size if one is known.

    A size that is given stays as it is: nothing is added to it. Raises ClaimNotValid.
    """
    spec, annotated = target.spec, objects.annotations(target.claim)
    if sizes.requested(spec):
        return spec
    where = annotated.get(annotations.DATA_SOURCE_NAMESPACE) or target.namespace
    payload = None
    if where != target.namespace:
        payload = _payload_of(target.claim, read_token)
        if payload is None or not _is_for(payload, target, where):
            raise rendering.ClaimNotValid(
                f"cloning from namespace {where} needs a valid clone token in annotation "
                f"{annotations.CLONE_TOKEN}"
            )
    name = spec["dataSourceRef"]["name"]
    source = objects.get(
        _found(resources.CLONE_SOURCES, name, where, seen), "spec", "source", default={}
    )
    size = _size_of(source, where, target, seen, payload)
    return spec if size is None else _with_size(spec, size)


def _with_size(spec: Object, size: str) -> Object:
    """Return the spec with a size as its source writes it."""
    block = spec.get("resources") or {}
    requests = {**(block.get("requests") or {}), "storage": size}
    return {**spec, "resources": {**block, "requests": requests}}


def _payload_of(claim: Object, read_token: TokenReader) -> ClonePayload | None:
    given = objects.annotations(claim)
    for key in (annotations.EXTENDED_CLONE_TOKEN, annotations.CLONE_TOKEN):
        if given.get(key):
            return read_token(given[key])
    return None


def _is_for(payload: ClonePayload, target: Target, source_namespace: str) -> bool:
    return (payload.namespace, payload.target_namespace, payload.target_name) == (
        source_namespace,
        target.namespace,
        objects.name(target.claim),
    )


def _found(resource: str, name: str, namespace: str, seen: Seen) -> Object:
    found = seen.one(Get(resource, name, namespace))
    if found is None:
        raise rendering.ClaimNotValid(f'{resource} "{name}" not found in namespace {namespace}')
    return found


def _size_of(
    source: Mapping[str, Any],
    namespace: str,
    target: Target,
    seen: Seen,
    payload: ClonePayload | None,
) -> str | None:
    kind, name = source.get("kind", ""), source.get("name") or ""
    wanted = {"PersistentVolumeClaim": CLAIM, "VolumeSnapshot": SNAPSHOT}
    if kind not in wanted or not name:
        raise rendering.ClaimNotValid(
            f"VolumeCloneSource names {kind or 'no kind'} {name!r}: want a PersistentVolumeClaim "
            "or a VolumeSnapshot, by name"
        )
    if payload is not None and (payload.resource, payload.name) != (wanted[kind], name):
        raise rendering.ClaimNotValid(f"the clone token is not for {kind} {name}")
    if kind == "VolumeSnapshot":
        snapshot = _found(resources.SNAPSHOTS, name, namespace, seen)
        return _text(snapshot, "status", "restoreSize")
    return _size_of_claim(_found(resources.CLAIMS, name, namespace, seen), target)


def _size_of_claim(source: Object, target: Target) -> str | None:
    """Return the size of a claim with the same contents; None where it is not known yet."""
    given, spec, cluster = objects.annotations(target.claim), target.spec, target.cluster
    source_mode = objects.get(source, "spec", "volumeMode") or modes.FILESYSTEM
    mode = spec.get("volumeMode") or modes.FILESYSTEM
    copied = given.get(annotations.CLONE_TYPE) == capabilities.COPY
    disk = given.get(annotations.CONTENT_TYPE) != modes.ARCHIVE
    if (source_mode, mode) == (modes.FILESYSTEM, modes.BLOCK) and copied and disk:
        raise rendering.ClaimNotValid(
            "the size of a Block claim that is copied from a Filesystem claim is not known: set "
            "resources.requests.storage"
        )
    source_class = _class_name(cluster, objects.get(source, "spec", "storageClassName"), "source")
    target_class = _class_name(cluster, spec.get("storageClassName"), "target")
    if (source_mode, source_class) == (mode, target_class):
        return _text(source, "spec", "resources", "requests", "storage")
    return _text(source, "status", "capacity", "storage")


def _text(obj: Object, *path: str) -> str | None:
    found = objects.get(obj, *path)
    return None if found is None else str(found)


def _class_name(cluster: rendering.Cluster, name: str | None, whose: str) -> str:
    found = classes.choose_as_kubernetes(cluster.classes, name)
    if found is None:
        raise rendering.ClaimNotValid(
            f"the StorageClass of the clone's {whose} is not known: {name or 'there is no default'}"
        )
    return objects.name(found)
