"""The prime claim of a target, and what travels from one to the other."""

from collections.abc import Mapping
from typing import Any

from cdi.api import annotations, labels, names, workorder
from cdi.controllers import metadata, plan
from cdi.controllers.populating.populator import Populator
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

_SHAPE = ("accessModes", "resources", "storageClassName", "volumeMode")


def prime_for(
    target: Object,
    source: Object,
    populator: Populator,
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
                **_inherited(target, populator),
                annotations.BIND_IMMEDIATE: "",
                **({annotations.SELECTED_NODE: node} if node else {}),
                **_asked(source, preallocate_by_default),
                annotations.POPULATOR_KIND: populator.kind_of_prime(),
                **populator.of_target(target),
                **populator.request(source),
            },
            "ownerReferences": [owners.owner_reference(target)],
        },
        "spec": {key: spec[key] for key in _SHAPE if spec.get(key) is not None},
    }


def synced_annotations(prime: Object, target: Object) -> dict[str, str | None]:
    """What a target shows of its prime; what is gone there goes here."""
    there, here = objects.annotations(prime), objects.annotations(target)
    changes: dict[str, str | None] = {
        key: there.get(key) for key in annotations.LEARNED_FROM_PRIME if key in there or key in here
    }
    return changes


def changed(
    claim: Object,
    changes: Mapping[str, str | None],
    more_labels: Mapping[str, str] | None = None,
) -> plan.Plan:
    """One change of a claim's metadata; none where nothing differs."""
    given = objects.annotations(claim)
    if all(given.get(key) == value for key, value in changes.items()) and not more_labels:
        return plan.NOTHING
    wanted = metadata.changed(claim, annotations=changes, labels={**(more_labels or {})})
    return plan.Plan((plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted),))


def travelling_labels(prime: Object, target: Object) -> dict[str, str]:
    """What the worker found out about the image, for a target that does not say otherwise."""
    here = objects.labels(target)
    found = labels.travelling(objects.labels(prime))
    return {key: value for key, value in found.items() if key not in here}


def _inherited(target: Object, populator: Populator) -> dict[str, str]:
    given = objects.annotations(target)
    kept = metadata.passed_on(given)
    if annotations.RETAIN_AFTER_COMPLETION in given:
        kept[annotations.RETAIN_AFTER_COMPLETION] = given[annotations.RETAIN_AFTER_COMPLETION]
    return kept | {key: given[key] for key in populator.inherited if given.get(key)}


def _asked(source: Object, preallocate_by_default: bool) -> dict[str, str]:
    """What every source object may say of the volume."""
    spec: Mapping[str, Any] = source.get("spec") or {}
    preallocate = spec.get("preallocation")
    if preallocate is None:
        preallocate = preallocate_by_default
    return {
        annotations.CONTENT_TYPE: workorder.content_type_of(spec.get("contentType")),
        annotations.PREALLOCATION_REQUESTED: str(preallocate is True).lower(),
    }
