"""The prime claim of a target, and what travels from one to the other."""

from collections.abc import Mapping
from typing import Any

from cdi.api import annotations, labels, names, workorder
from cdi.controllers import kinds, metadata
from cdi.controllers.importing import checkpoints, requests
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.objects import Object

_SHAPE = ("accessModes", "resources", "storageClassName", "volumeMode")


def prime_for(
    target: Object,
    import_source: Object,
    settings: Settings,
    *,
    node: str = "",
    preallocate_by_default: bool = False,
) -> Object:
    """The claim to create. Labels of users stay on the target."""
    spec = target["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.prime_for(objects.uid(target)),
            "namespace": objects.namespace(target),
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.EXCLUDE_FROM_BACKUP: annotations.TRUE,
                **metadata.recommended_labels(settings),
            },
            "annotations": {
                **_inherited(target),
                annotations.BIND_IMMEDIATE: "",
                **({annotations.SELECTED_NODE: node} if node else {}),
                **_request(import_source.get("spec") or {}, preallocate_by_default),
            },
            "ownerReferences": [owners.owner_reference(target)],
        },
        "spec": {key: spec[key] for key in _SHAPE if spec.get(key) is not None},
    }


def synced_annotations(prime: Object, target: Object) -> dict[str, str | None]:
    """What a target shows of its prime; what is gone there goes here."""
    there, here = objects.annotations(prime), objects.annotations(target)
    changes: dict[str, str | None] = {
        key: there.get(key) for key in annotations.COPIED_FROM_PRIME if key in there or key in here
    }
    if there.get(annotations.SOURCE) == requests.VDDK:
        reported = (annotations.VDDK_HOST, annotations.VDDK_VERSION)
        changes |= {key: there[key] for key in reported if there.get(key)}
    return changes


def travelling_labels(prime: Object, target: Object) -> dict[str, str]:
    """What the importer found out about the image, for a target that does not say otherwise."""
    here = objects.labels(target)
    found = labels.travelling(objects.labels(prime))
    return {key: value for key, value in found.items() if key not in here}


def _inherited(target: Object) -> dict[str, str]:
    given = objects.annotations(target)
    kept = metadata.passed_on(given)
    if annotations.RETAIN_AFTER_COMPLETION in given:
        kept[annotations.RETAIN_AFTER_COMPLETION] = given[annotations.RETAIN_AFTER_COMPLETION]
    if given.get(annotations.VDDK_EXTRA_ARGS):
        kept[annotations.VDDK_EXTRA_ARGS] = given[annotations.VDDK_EXTRA_ARGS]
    return kept


def _request(spec: Mapping[str, Any], preallocate_by_default: bool) -> dict[str, str]:
    source = spec.get("source") or {}
    preallocate = spec.get("preallocation")
    if preallocate is None:
        preallocate = preallocate_by_default
    asked = {
        annotations.POPULATOR_KIND: kinds.IMPORT_SOURCES.kind,
        annotations.CONTENT_TYPE: workorder.content_type_of(spec.get("contentType")),
        annotations.PREALLOCATION_REQUESTED: str(preallocate is True).lower(),
        **requests.annotations_for(source),
    }
    if requests.can_have_stages(source):
        final = spec.get("finalCheckpoint") is True
        first = checkpoints.first(spec.get("checkpoints") or (), final=final)
        asked |= {key: value for key, value in first.items() if value is not None}
    return asked
