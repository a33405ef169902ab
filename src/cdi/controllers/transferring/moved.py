"""What is remembered of a source, and what its target looks like. Values only."""

import json
from typing import Any, Final

from cdi.api import annotations
from cdi.controllers.transferring.seen import source_of, target_of
from cdi.kube import objects
from cdi.kube.objects import Object

# Of one object, and of no other that has its spec.
_IDENTITY: Final = frozenset(
    {
        "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers",
    }
)  # fmt: skip
_BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"


def remembered(source: Object) -> str:
    """The source as text, without what only servers keep."""
    kept = {key: value for key, value in source.items() if key != "status"}
    metadata = {k: v for k, v in kept["metadata"].items() if k != "managedFields"}
    return json.dumps({**kept, "metadata": metadata}, separators=(",", ":"))


def target_for(source: Object, transfer: Object, **more: str | None) -> Object:
    """What to create at the target; `more` are annotations, None to leave one out."""
    there = target_of(transfer)
    metadata: dict[str, Any] = {
        key: value for key, value in objects.metadata(source).items() if key not in _IDENTITY
    }
    metadata |= {"name": there.name, "namespace": there.namespace}
    if there.namespace != source_of(transfer).namespace:
        metadata.pop("ownerReferences", None)
    left_out = (annotations.OBJECT_TRANSFER, _BIND_COMPLETED, *more)
    kept = {k: v for k, v in objects.annotations(source).items() if k not in left_out}
    metadata["annotations"] = kept | {k: v for k, v in more.items() if v is not None}
    return {
        "apiVersion": source["apiVersion"],
        "kind": source["kind"],
        "metadata": metadata,
        "spec": source["spec"],
    }
