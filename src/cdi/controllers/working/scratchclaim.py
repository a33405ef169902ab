"""The scratch claim beside a worker pod: what it looks like, and what people hear of it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdi.api import annotations, labels, names, reasons
from cdi.controllers import metadata
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.storage import overhead, scratch, sizes

CREATING_MESSAGE: Final = "Creating scratch space"


def scratch_claim_for(
    claim: Object,
    pod: Object,
    config: Mapping[str, Any] | None,
    storage_classes: Iterable[Object],
    settings: Settings,
) -> Object:
    """The scratch claim of a pod; it goes with the pod."""
    classes = list(storage_classes)
    spec = claim["spec"]
    class_name = scratch.class_for(config, claim, classes)
    of_claim = overhead.overhead_for(
        config, classes, spec.get("storageClassName"), spec.get("volumeMode")
    )
    of_scratch = overhead.overhead_for(config, classes, class_name, None)
    size = scratch.size_for(sizes.requested(spec) or 0, float(of_claim), float(of_scratch))
    is_populator = metadata.has(claim, annotations.POPULATOR_KIND)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.scratch_for(objects.name(claim)),
            "namespace": objects.namespace(claim),
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.EXCLUDE_FROM_BACKUP: annotations.TRUE,
                **metadata.recommended_labels(settings),
            },
            "annotations": scratch.annotations_for(claim, is_populator=is_populator),
            "ownerReferences": [owners.owner_reference(pod)],
        },
        "spec": scratch.claim_spec_for(
            class_name, size, objects.get(spec, "resources", "limits", "storage")
        ),
    }


def creating(found: Object, storage_classes: Iterable[Object]) -> dict[str, str | None]:
    """The annotations of a claim whose scratch claim has no volume yet, and will have none if
    there is no class for it."""
    class_name = objects.get(found, "spec", "storageClassName")
    why = scratch.why_pending(class_name, storage_classes)
    message = f"{CREATING_MESSAGE}: {why}" if why else CREATING_MESSAGE
    return {
        annotations.BOUND: annotations.FALSE,
        annotations.BOUND_MESSAGE: message,
        annotations.BOUND_REASON: reasons.CREATING_SCRATCH,
    }


def created(claim: Object) -> dict[str, str | None]:
    """What to take off once it has one."""
    if objects.annotations(claim).get(annotations.BOUND_REASON) != reasons.CREATING_SCRATCH:
        return {}
    return dict.fromkeys((annotations.BOUND, annotations.BOUND_MESSAGE, annotations.BOUND_REASON))


def is_left_over(found: Object | None, *, owner: Object | None) -> bool:
    """Whether a scratch claim is another pod's, or on its way out."""
    if found is None:
        return False
    if objects.is_deleting(found) or owner is None:
        return True
    return not owners.is_controlled_by(found, owner)
