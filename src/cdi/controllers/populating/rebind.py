"""
Handing a volume from the claim that filled it to the claim it is for.

The volume's claimRef is what counts: Kubernetes binds whoever it names, and calls the claim that
it named before Lost. The target is asked for once more, from the server itself, right before the
write, so that a volume is never left to a claim that has just been deleted.
"""

from __future__ import annotations

from typing import Any

from cdi.controllers import plan
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES


class CannotRebind(plan.NotYet):
    """The volume is not where it should be."""


def rebind(volume: Object | None, source: Object, target: Object) -> plan.Plan:
    """Steps that make `target` the claim of the volume that `source` has filled."""
    name = objects.get(source, "spec", "volumeName", default="")
    if volume is None:
        return plan.Plan(failure=CannotRebind(f"PersistentVolume {name!r} does not exist"))
    reference = objects.get(volume, "spec", "claimRef")
    if reference is None:
        return plan.Plan(failure=CannotRebind(f"PersistentVolume {name} has no claim"))
    if is_claim_of(reference, target):
        return plan.NOTHING
    if not is_claim_of(reference, source):
        other = f"{reference.get('namespace')}/{reference.get('name')}"
        return plan.Plan(
            failure=CannotRebind(f"PersistentVolume {name} is bound to unexpected claim {other}")
        )
    wanted = {**volume, "spec": {**volume["spec"], "claimRef": _reference_to(target)}}
    return plan.Plan(
        (
            plan.Confirm(PERSISTENT_VOLUME_CLAIMS, target),
            plan.Change(PERSISTENT_VOLUMES, volume, wanted),
        )
    )


def is_claim_of(reference: Any, claim: Object) -> bool:
    """Whether a claimRef means exactly this claim."""
    wanted = (objects.namespace(claim), objects.name(claim), objects.uid(claim))
    return tuple(objects.get(reference, key) for key in ("namespace", "name", "uid")) == wanted


def _reference_to(claim: Object) -> Object:
    return {
        "namespace": objects.namespace(claim),
        "name": objects.name(claim),
        "uid": objects.uid(claim),
        "resourceVersion": objects.resource_version(claim),
    }
