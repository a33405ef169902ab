"""
Rules for `metadata`, the same for every kind but for the shape of names.

Names, labels, annotations, finalizers, owners, and what an update may not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cdi.standalone.schema import causes, names, paths
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.kinds import KindInfo

ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all annotation keys and values together."""

_STANDARD_FINALIZERS = frozenset(("orphan", "foregroundDeletion", "kubernetes"))

_NAME_SHAPES: Mapping[str, Callable[[str], list[str]]] = {
    "Namespace": names.label,
    "Service": names.label_1035,
    "Role": names.path_segment,
    "RoleBinding": names.path_segment,
    "ClusterRole": names.path_segment,
    "ClusterRoleBinding": names.path_segment,
    "APIService": names.path_segment,
}

# The server alone writes these; an update that changes one is refused.
_IMMUTABLE = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate(info: KindInfo, obj: dict[str, Any]) -> list[FieldError]:
    """Objections to the metadata of a new object, or to what an update leaves."""
    return list(_check(info, obj.get("metadata") or {}))


def _check(info: KindInfo, meta: dict[str, Any]) -> Iterator[FieldError]:
    yield from _check_names(info, meta)
    namespace = meta.get("namespace", "")
    if info.namespaced and not namespace:
        yield causes.required("metadata.namespace")
    elif info.namespaced and (objections := names.label(namespace)):
        yield from (causes.invalid("metadata.namespace", namespace, each) for each in objections)
    elif not info.namespaced and namespace:
        yield causes.forbidden("metadata.namespace", "not allowed on this type")
    yield from check_labels(meta.get("labels"), "metadata.labels")
    yield from _check_annotations(meta.get("annotations") or {})
    for index, owner in enumerate(meta.get("ownerReferences") or ()):
        yield from _check_owner(owner, paths.item("metadata.ownerReferences", index))
    yield from _check_controllers(meta.get("ownerReferences") or [])
    for index, text in enumerate(meta.get("finalizers") or ()):
        yield from _check_finalizer(text, paths.item("metadata.finalizers", index))


def _check_names(info: KindInfo, meta: dict[str, Any]) -> Iterator[FieldError]:
    shape = _NAME_SHAPES.get(info.kind, names.subdomain) if not info.custom else names.subdomain
    name, prefix = meta.get("name", ""), meta.get("generateName", "")
    if prefix:
        # A dash at the end is fine: the server adds to it.
        stem = f"{prefix[:-1]}a" if prefix.endswith("-") else prefix
        yield from (causes.invalid("metadata.generateName", prefix, each) for each in shape(stem))
    if not name:
        yield causes.required("metadata.name", "name or generateName is required")
    else:
        yield from (causes.invalid("metadata.name", name, each) for each in shape(name))


def check_labels(labels: dict[str, Any] | None, path: str) -> Iterator[FieldError]:
    for key, value in (labels or {}).items():
        yield from (causes.invalid(path, key, each) for each in names.qualified(key))
        yield from (causes.invalid(path, value, each) for each in names.label_value(str(value)))


def _check_annotations(annotations: dict[str, Any]) -> Iterator[FieldError]:
    path = "metadata.annotations"
    for key in annotations:
        # Annotation keys are compared in lower case.
        yield from (causes.invalid(path, key, each) for each in names.qualified(key.lower()))
    size = sum(len(key.encode()) + len(str(text).encode()) for key, text in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        yield causes.too_long(path, "", ANNOTATIONS_LIMIT)


def _check_owner(owner: dict[str, Any], path: str) -> Iterator[FieldError]:
    if not owner.get("apiVersion"):
        yield causes.invalid(f"{path}.apiVersion", "", "version must not be empty")
    for key in ("kind", "name", "uid"):
        if not owner.get(key):
            yield causes.invalid(f"{path}.{key}", owner.get(key, ""), "must not be empty")


def _check_controllers(owners: list[dict[str, Any]]) -> Iterator[FieldError]:
    controlling = [owner for owner in owners if owner.get("controller")]
    for other in controlling[1:]:
        first, second = controlling[0].get("name"), other.get("name")
        detail = (
            "Only one reference can have Controller set to true. Found "
            f'"true" in references for {first} and {second}'
        )
        yield causes.invalid("metadata.ownerReferences", owners, detail)


def _check_finalizer(text: str, path: str) -> Iterator[FieldError]:
    yield from (causes.invalid(path, text, each) for each in names.qualified(text))
    if "/" not in text and text not in _STANDARD_FINALIZERS:
        detail = "name is neither a standard finalizer name nor is it fully qualified"
        yield causes.invalid(path, text, detail)


def validate_update(obj: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """Objections to what an update changes in metadata."""
    return list(_check_update(obj.get("metadata") or {}, old.get("metadata") or {}))


def _check_update(meta: dict[str, Any], old: dict[str, Any]) -> Iterator[FieldError]:
    for key in ("name", "namespace", *_IMMUTABLE):
        if meta.get(key) != old.get(key):
            yield causes.invalid(f"metadata.{key}", meta.get(key), "field is immutable")
    if old.get("deletionTimestamp"):
        kept = set(old.get("finalizers") or ())
        if added := [each for each in meta.get("finalizers") or () if each not in kept]:
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{', '.join(_quoted(each) for each in added)}}}"
            )
            yield causes.forbidden("metadata.finalizers", detail)


def _quoted(text: str) -> str:
    return f'"{text}"'
