"""
What is the same whenever storage is asked to make something: create, wait, and perhaps give up.

Storage that fails, or does nothing, is not waited for forever: bytes are copied instead. The
change of the strategy is written first, and what was begun is taken away after that, so that a
crash in between leaves nothing half decided.
"""

from datetime import datetime
from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import plan
from cdi.controllers.cloning.outcome import DONE, SOON, Outcome, step, wait
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.origins.use import Busy
from cdi.controllers.populating.prime import changed
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.storage import classes
from cdi.storage.capabilities import COPY

# Seconds. A provisioner tries again within seconds where its answer may change; one that works on
# a large volume, or is being restarted, deserves more.
FAILING: Final = 60.0
HANGING: Final = 15 * 60.0
LOOK_AGAIN: Final = 15.0


def made(seen: Seen, claim: Object) -> Outcome:
    """Have a claim made."""
    refused = plan.Create(
        PERSISTENT_VOLUME_CLAIMS, claim, refused=lambda error: _refused(seen, error)
    )
    return step(refused)


def bound(seen: Seen, claim: Object, *, may_fall_back: bool = True) -> Outcome:
    """Done once a claim is bound, or only waits for a pod to bind it for."""
    phase = objects.get(claim, "status", "phase")
    if phase == phases.Claim.BOUND or _waits_for_pod(seen, claim):
        return DONE
    if phase == phases.Claim.LOST:
        return DONE  # its volume has been handed over
    if not may_fall_back:
        return wait()
    said = _failures(seen)
    if is_hopeless(seen, claim, failing=bool(said)):
        return given_up(seen, said or f"PVC {objects.name(claim)} is not bound")
    return wait(said, LOOK_AGAIN)


def source_busy(seen: Seen, busy: Busy) -> Outcome:
    """The source cannot be read now; told once, if users can do something about it."""
    told = (reasons.CLONE_SOURCE_IN_USE, busy.why)
    known = ((each.get("reason"), each.get("message")) for each in seen.target_events)
    if busy.in_use and told not in known:
        return wait(busy.why, SOON, plan.warning(seen.target, *told))
    return wait(busy.why, SOON)


def is_hopeless(seen: Seen, begun: Object, *, failing: bool) -> bool:
    """Whether storage has had its time for what was begun."""
    since = objects.metadata(begun).get("creationTimestamp")
    if not since:
        return False
    passed = (datetime.fromisoformat(seen.now) - datetime.fromisoformat(since)).total_seconds()
    return passed > (FAILING if failing else HANGING)


def given_up(seen: Seen, why: str) -> Outcome:
    """Go over to copying; the planner does the rest."""
    reason = reasons.CLONE_ATTEMPT_FAILED
    noted = {
        annotations.CLONE_TYPE: COPY,
        annotations.CLONE_FALLBACK_REASON: reasons.FALLBACK_TEXTS[reason],
    }
    event = plan.warning(
        seen.target, reason, f"{reasons.FALLBACK_TEXTS[reason]}, so it is copied: {why}"
    )
    return Outcome(wanted=changed(seen.target, noted).with_events(event), note=why)


def is_volume_due(seen: Seen, claim: Object) -> bool:
    """Whether a claim gets its volume whatever becomes of its pods, and has not got it yet.

    Until then no pod that uses it can be scheduled, which says nothing of nodes.
    """
    bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
    return not bound and not _waits_for_pod(seen, claim)


def _waits_for_pod(seen: Seen, claim: Object) -> bool:
    name = objects.get(claim, "spec", "storageClassName")
    return classes.waits_for_consumer(classes.choose_as_kubernetes(seen.classes, name))


def _failures(seen: Seen) -> str:
    """What the provisioner has said last of the temporary claim, if that is no good news."""
    said = [
        (str(each.get("lastTimestamp") or ""), str(each.get("message") or ""))
        for each in seen.temporary_events
        if each.get("type") == EventType.WARNING
    ]
    return max(said)[1] if said else ""


def _refused(seen: Seen, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_CREATING_PRIME
    told = (reason, error.message)
    if any((each.get("reason"), each.get("message")) == told for each in seen.target_events):
        return plan.NOTHING
    return plan.Plan(events=(plan.warning(seen.target, *told),))
