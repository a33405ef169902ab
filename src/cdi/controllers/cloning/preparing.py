"""
Phase PrepClaim: the temporary claim is bound, and as large as the target is to be.

A pod that does nothing makes storage act that acts for pods only: a class that waits for its
first consumer, where nobody has chosen a node, and a file system that a node has to grow. Where
storage does all that by itself no pod is made.
"""

from cdi.api import annotations, phases
from cdi.controllers import plan
from cdi.controllers.cloning import preppod
from cdi.controllers.cloning.outcome import DONE, CannotClone, Outcome, step, wait
from cdi.controllers.cloning.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS
from cdi.storage import classes, sizes

_GROWS_ON_NODE = "FileSystemResizePending"  # a condition of Kubernetes' own


def prepare(seen: Seen) -> Outcome:
    """Bind and grow the temporary claim to what the target wants."""
    return _prepared(seen, seen.temporaries.claim, seen.wanted_size)


def prepare_source(seen: Seen) -> Outcome:
    """Bind the claim that was restored from a snapshot, so that it can be copied from."""
    found = seen.temporaries.source_claim
    return _prepared(seen, found, sizes.requested((found or {}).get("spec") or {}) or 0)


def _prepared(seen: Seen, claim: Object | None, wanted: int) -> Outcome:
    if claim is None:
        raise CannotClone("the temporary claim has gone; it is made again")
    phase = objects.get(claim, "status", "phase")
    if phase == phases.Claim.LOST:
        return DONE  # its volume has been handed over
    current = sizes.requested(claim.get("spec") or {}) or 0
    is_bound = phase == phases.Claim.BOUND
    if is_bound and current < wanted:
        # Kubernetes grows bound claims only.
        grown = {**claim, "spec": sizes.with_request(claim["spec"], wanted)}
        return step(plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, grown))
    pod = seen.temporaries.prep_pod
    needed = _needs_pod(seen, claim)
    if pod is not None:
        ended = objects.get(pod, "status", "phase") in (phases.Pod.SUCCEEDED, phases.Pod.FAILED)
        if (ended or not needed) and not objects.is_deleting(pod):
            return step(plan.Remove(PODS, pod))
        return wait()
    if needed:
        return step(plan.Create(PODS, preppod.prep_pod_for(seen, claim)))
    if is_bound and _capacity(claim) >= wanted:
        return DONE
    return wait("storage makes the volume as large as is wanted" if is_bound else "")


def _needs_pod(seen: Seen, claim: Object) -> bool:
    if objects.get(claim, "status", "phase") == phases.Claim.BOUND:
        said = objects.get(claim, "status", "conditions", default=[])
        return any(
            each.get("type") == _GROWS_ON_NODE and each.get("status") == "True" for each in said
        )
    name = objects.get(claim, "spec", "storageClassName")
    found = classes.choose_as_kubernetes(seen.classes, name)
    chosen = objects.annotations(claim).get(annotations.SELECTED_NODE)
    return classes.waits_for_consumer(found) and not chosen


def _capacity(claim: Object) -> int:
    known = objects.get(claim, "status", "capacity", "storage")
    return sizes.requested({"resources": {"requests": {"storage": known}}}) or 0
