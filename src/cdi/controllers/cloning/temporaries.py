"""
The objects that a clone makes for itself, in the source's namespace.

They belong to the target by a label with its UID: owner references do not reach over namespaces,
and the target's finalizer sees to it that they go. Of the target's own labels and annotations
they get what the storage and the pods need: no tokens, and nothing that would have the claim
rendered once more.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, labels, names
from cdi.controllers import kinds, metadata
from cdi.controllers.clonesource import CloneSource
from cdi.controllers.cloning.outcome import CannotClone
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.cloning.strategy import restore_size
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import modes, sizes

_KEPT: Final = (
    annotations.SELECTED_NODE,
    annotations.BIND_IMMEDIATE,
    annotations.CONTENT_TYPE,
    annotations.RETAIN_AFTER_COMPLETION,
    annotations.PERMISSIVE_CLONE,
)
_SHAPE: Final = ("accessModes", "resources", "storageClassName", "volumeMode")


def claim_for(
    seen: Seen,
    *,
    size: int | None = None,
    source: Mapping[str, Any] | None = None,
    more: Mapping[str, str] | None = None,
) -> Object:
    """The claim that later becomes the target, with its shape.

    `size` takes the place of what the target asks for, `source` is a dataSourceRef, `more` are
    annotations.
    """
    wanted = seen.target["spec"]
    spec = {key: wanted[key] for key in _SHAPE if wanted.get(key) is not None}
    spec = sizes.with_request(spec, size) if size else spec
    if source is not None:
        spec["dataSourceRef"] = dict(source)
    name = names.temporary_claim_for(objects.uid(seen.target))
    return _claim(seen, name, spec, {**_annotations(seen), **(more or {})})


def source_claim_for(seen: Seen) -> Object:
    """The claim restored from a snapshot so that pods can read it. Raises CannotClone."""
    origin = seen.cloned
    size = restore_size(seen.cloned_object)
    if size is None:
        raise CannotClone(f"{origin.source} does not show its restoreSize yet")
    driver = objects.get(origin.content, "spec", "driver")
    fitting = sorted(
        objects.name(each) for each in seen.classes if each.get("provisioner") == driver
    )
    if not fitting:
        raise CannotClone(f"no StorageClass has provisioner {driver}, so {origin.source} cannot be "
                          "restored; create one")  # fmt: skip
    spec = {
        "accessModes": [modes.RWO],
        "volumeMode": origin.mode_of_snapshot(seen.target["spec"]),
        "storageClassName": fitting[0],
        "dataSourceRef": reference_to(origin.source),
    }
    kept = {k: v for k, v in _annotations(seen).items() if k != annotations.SELECTED_NODE}
    name = names.temporary_source_claim_for(objects.uid(seen.target))
    return _claim(seen, name, sizes.with_request(spec, size or seen.wanted_size), kept)


def snapshot_for(seen: Seen, snapshot_class: str) -> Object:
    """The snapshot of the source claim."""
    return {
        "apiVersion": kinds.SNAPSHOTS.api_version,
        "kind": kinds.SNAPSHOTS.kind,
        "metadata": {
            "name": names.temporary_snapshot_for(objects.uid(seen.target)),
            "namespace": seen.source_namespace,
            "labels": marks(seen),
        },
        "spec": {
            "volumeSnapshotClassName": snapshot_class,
            "source": {"persistentVolumeClaimName": seen.cloned.source.name},
        },
    }


def reference_to(source: CloneSource) -> Object:
    """A dataSourceRef to what is cloned, in the same namespace."""
    reference: Object = {"kind": source.kind, "name": source.name}
    if source.kind == kinds.SNAPSHOTS.kind:
        reference["apiGroup"] = kinds.SNAPSHOTS.group
    return reference


def marks(seen: Seen) -> dict[str, str]:
    """Labels of everything that is made for the target."""
    return {
        labels.APP: labels.APP_VALUE,
        labels.OWNED_BY_UID: objects.uid(seen.target),
        **metadata.recommended_labels(seen.settings),
    }


def _claim(seen: Seen, name: str, spec: Object, noted: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": seen.source_namespace,
            "labels": {**marks(seen), labels.EXCLUDE_FROM_BACKUP: annotations.TRUE},
            "annotations": dict(noted),
        },
        "spec": spec,
    }


def _annotations(seen: Seen) -> dict[str, str]:
    given = objects.annotations(seen.target)
    kept = {key: given[key] for key in _KEPT if key in given}
    return {
        **metadata.passed_on(given),
        **kept,
        annotations.POPULATOR_KIND: kinds.CLONE_SOURCES.kind,
        annotations.EVENT_SOURCE_KIND: "PersistentVolumeClaim",
        annotations.EVENT_SOURCE: str(objects.key(seen.target)),
    }
