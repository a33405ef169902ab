"""
Moving a claim: its volume is kept whatever happens, and handed to a claim of the same spec.

    1  the name and the reclaim policy of its volume are remembered
    2  the volume is to be retained
    3  the claim is deleted, and waited for
    4  the volume names the target, by name
    5  the target is created, and waited for
    6  the volume has its own policy again

Each look takes the first step that is not done, so that a crash between any two is mended by the
next one. Pure.
"""

from typing import Any, Final

from cdi.api import phases
from cdi.controllers import plan
from cdi.controllers.transferring import moved
from cdi.controllers.transferring.outcome import Outcome, does, fails, waits
from cdi.controllers.transferring.seen import RECLAIM, VOLUME_NAME, Seen, source_of, target_of
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES

_RETAIN: Final = "Retain"
# While somebody copies or snapshots it, a claim may not go.
_HELD_BY: Final = (
    "provisioner.storage.kubernetes.io/cloning-protection",
    "snapshot.storage.kubernetes.io/pvc-as-source-protection",
)


def why_not(seen: Seen) -> Outcome | None:
    """Why the claim cannot be moved now; None where it can."""
    claim, volume = seen.source, seen.volume
    if claim is None:
        return waits("No source")
    if objects.get(claim, "status", "phase") != phases.Claim.BOUND:
        return waits("PVC not bound")
    for name in _HELD_BY:
        if name in objects.finalizers(claim):
            return waits(f"PVC has finalizer: {name}")
    if volume is None or not _names(volume, claim):
        return waits("PV not bound")
    return waits("Pods using PVC") if seen.users else None


def step(seen: Seen) -> Outcome:
    """The first step that is not done."""
    then, volume = seen.remembered or {}, seen.volume
    if VOLUME_NAME not in seen.data:
        return _volume_remembered(seen)
    if volume is None:
        return fails("PV name missing")
    if seen.target is not None:
        return _bound(seen, seen.target, volume)
    if volume["spec"].get("persistentVolumeReclaimPolicy") != _RETAIN:
        return does(_with_policy(volume, _RETAIN))
    if seen.original is not None:
        gone = objects.is_deleting(seen.original)
        return waits("Running") if gone else _removed(seen.original)
    return _handed_over(seen, then, volume)


def _volume_remembered(seen: Seen) -> Outcome:
    if seen.volume is None:
        return fails("PV name missing")
    policy = seen.volume["spec"].get("persistentVolumeReclaimPolicy") or "Delete"
    return Outcome("Running", data={VOLUME_NAME: objects.name(seen.volume), RECLAIM: policy})


def _removed(claim: Object) -> Outcome:
    return does(plan.Remove(PERSISTENT_VOLUME_CLAIMS, claim))


def _handed_over(seen: Seen, then: Object, volume: Object) -> Outcome:
    there = target_of(seen.transfer)
    reference = objects.get(volume, "spec", "claimRef", default={})
    named = Key(str(reference.get("namespace")), str(reference.get("name")))
    if named != there:
        ours = named == source_of(seen.transfer) and reference.get("uid") == objects.uid(then)
        if not ours:
            return fails(f"PV bound to wrong PVC {named}")
        return does(_with_claim(volume, there))
    return does(plan.Create(PERSISTENT_VOLUME_CLAIMS, moved.target_for(then, seen.transfer)))


def _bound(seen: Seen, target: Object, volume: Object) -> Outcome:
    if objects.get(target, "spec", "volumeName") != objects.name(volume):
        return fails(f"PV bound to wrong PVC: {objects.key(target)} is another claim")
    if objects.get(target, "status", "phase") != phases.Claim.BOUND:
        return waits("Waiting for target to be bound")
    policy = seen.data.get(RECLAIM) or _RETAIN
    if volume["spec"].get("persistentVolumeReclaimPolicy") != policy:
        return does(_with_policy(volume, policy))
    return Outcome("Transfer complete", complete=True)


def _names(volume: Object, claim: Object) -> bool:
    reference: Any = objects.get(volume, "spec", "claimRef", default={})
    return bool(reference.get("uid") == objects.uid(claim))


def _with_policy(volume: Object, policy: str) -> plan.Change:
    spec = {**volume["spec"], "persistentVolumeReclaimPolicy": policy}
    return plan.Change(PERSISTENT_VOLUMES, volume, {**volume, "spec": spec})


def _with_claim(volume: Object, there: Key) -> plan.Change:
    """By name alone: the claim is made afterwards, and has no UID yet."""
    reference = {
        "apiVersion": "v1",
        "kind": PERSISTENT_VOLUME_CLAIMS.kind,
        "namespace": there.namespace,
        "name": there.name,
    }
    spec = {**volume["spec"], "claimRef": reference}
    return plan.Change(PERSISTENT_VOLUMES, volume, {**volume, "spec": spec})
