"""
Moving a DataVolume: its claim lets go of it, and is moved by a transfer of its own.

    1  the claim forgets its DataVolume, so that it does not go with it
    2  the DataVolume is deleted, and waited for
    3  a transfer moves the claim
    4  the claim at the target is marked as filled for the DataVolume to be
    5  the DataVolume is created, and waited for

Each look takes the first step that is not done, seen from the end. Pure.
"""

from cdi.api import annotations, phases
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.transferring import moved
from cdi.controllers.transferring.outcome import Outcome, does, waits
from cdi.controllers.transferring.seen import Seen, child_of, source_of, target_of
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

_COMPLETE = "Complete"


def why_not(seen: Seen) -> Outcome | None:
    """Why the DataVolume cannot be moved now; None where it can."""
    if seen.source is None:
        return waits("No source")
    if objects.get(seen.source, "status", "phase") != phases.DataVolume.SUCCEEDED:
        return waits("Source not populated")
    if seen.claim is None:
        return waits("Source DV has no PVC")
    return waits("Pods using DataVolume PVC") if seen.users else None


def step(seen: Seen) -> Outcome:
    """The first step that is not done."""
    if seen.target is not None:
        return _created(seen, seen.target)
    if seen.original is not None:
        return _let_go(seen, seen.original)
    claim = seen.target_claim
    if claim is None or not _is_moved(seen):
        return _moved(seen)
    name = target_of(seen.transfer).name
    if objects.annotations(claim).get(annotations.POPULATED_FOR) != name:
        wanted = metadata.changed(claim, annotations={annotations.POPULATED_FOR: name})
        return does(plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted))
    return does(
        plan.Create(kinds.DATA_VOLUMES, moved.target_for(seen.remembered or {}, seen.transfer))
    )


def _let_go(seen: Seen, volume: Object) -> Outcome:
    claim = seen.claim
    if claim is None:
        return waits("Source DV has no PVC")
    kept = [ref for ref in owners.references_of(claim) if ref.get("uid") != objects.uid(volume)]
    marked = metadata.has(claim, annotations.POPULATED_FOR)
    if len(kept) != len(owners.references_of(claim)) or marked:
        wanted = metadata.changed(claim, annotations={annotations.POPULATED_FOR: None})
        wanted["metadata"]["ownerReferences"] = kept
        return does(plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted))
    if objects.is_deleting(volume):
        return waits("Running")
    return does(plan.Remove(kinds.DATA_VOLUMES, volume))


def _is_moved(seen: Seen) -> bool:
    return seen.child is not None and _phase(seen.child) == _COMPLETE


def _moved(seen: Seen) -> Outcome:
    if seen.child is None:
        return does(plan.Create(kinds.OBJECT_TRANSFERS, _child_for(seen.transfer)))
    if _is_moved(seen):
        return waits("Transferred PVC does not exist")
    conditions = objects.get(seen.child, "status", "conditions", default=[])
    why = next((str(each.get("message") or "") for each in conditions), "")
    return waits("PVC transfer in progress", why)


def _created(seen: Seen, target: Object) -> Outcome:
    if objects.get(target, "status", "phase") != phases.DataVolume.SUCCEEDED:
        return waits("Waiting for target DataVolume")
    if seen.child is not None and not objects.is_deleting(seen.child):
        return does(plan.Remove(kinds.OBJECT_TRANSFERS, seen.child))
    return Outcome("Transfer complete", complete=True)


def _child_for(transfer: Object) -> Object:
    source, target = source_of(transfer), target_of(transfer)
    return {
        "apiVersion": kinds.OBJECT_TRANSFERS.api_version,
        "kind": kinds.OBJECT_TRANSFERS.kind,
        "metadata": {"name": child_of(transfer).name},
        "spec": {
            "parentName": objects.name(transfer),
            "source": {
                "kind": PERSISTENT_VOLUME_CLAIMS.kind,
                "namespace": source.namespace,
                "name": source.name,
            },
            "target": {"namespace": target.namespace, "name": target.name},
        },
    }


def _phase(transfer: Object) -> str:
    return str(objects.get(transfer, "status", "phase", default=""))
