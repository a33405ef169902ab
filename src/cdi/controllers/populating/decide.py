"""
What to do next about one target claim of a populator.

    prime    target        what happens
    none     can be filled the prime is created
    at work  -             the target shows what the prime shows, and how far it is
    filled   not bound     labels and annotations first, then the volume is handed over
    Lost     bound         the prime is deleted, unless it is to be kept

A prime that exists is followed to its end, even if source or class have been deleted meanwhile.
"""

from cdi.api import annotations, names, phases, reasons
from cdi.controllers import boundcondition, metadata, plan
from cdi.controllers.populating import mirror, prime, readiness, rebind
from cdi.controllers.populating.populator import Populator, pod_phase
from cdi.controllers.populating.prime import changed
from cdi.controllers.populating.registry import populator_of
from cdi.controllers.populating.seen import Seen
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

DONE = "100.0%"
NOT_AVAILABLE = "N/A"
PROGRESS_EVERY = 2.0  # seconds


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    populator = populator_of(seen.target, seen.prime)
    if populator is None or objects.is_deleting(seen.target):
        return plan.NOTHING
    if seen.prime is None:
        return _without_prime(seen, populator)
    return _with_prime(seen, populator, seen.prime)


# Without a prime.


def _without_prime(seen: Seen, populator: Populator) -> plan.Plan:
    target, source = seen.target, seen.source_object
    if source is None:
        return _without_source(target)
    if not _is_meant(source, target):
        return plan.NOTHING
    if _phase(target) in (phases.Claim.BOUND, phases.Claim.LOST):
        return plan.NOTHING
    try:
        ready = readiness.readiness_of(target, seen.classes)
    except readiness.ClassNotUsable as error:
        return plan.Plan(events=_news(seen, str(error)), failure=plan.NotYet(str(error)))
    if not ready.ready:
        return plan.NOTHING
    wanted = prime.prime_for(
        target,
        source,
        populator,
        seen.settings,
        node=ready.node,
        preallocate_by_default=objects.get(seen.config, "status", "preallocation") is True,
    )
    create = plan.Create(
        PERSISTENT_VOLUME_CLAIMS, wanted, refused=lambda error: _prime_refused(seen, error)
    )
    named: dict[str, str | None] = {annotations.PVC_PRIME: objects.name(wanted)}
    if objects.annotations(target).get(annotations.BOUND_REASON) == reasons.ERR_RESOURCE_MISSING:
        named |= dict.fromkeys(boundcondition.KEYS)
    message = f"PVC Prime {objects.name(wanted)} created successfully"
    made = plan.normal(target, reasons.PRIME_CREATED, message)
    return plan.Plan((create,), (made,)).then(changed(target, named))


def _without_source(target: Object) -> plan.Plan:
    """Say what is missing, unless its DataVolume makes it in this very moment."""
    reference = objects.get(target, "spec", "dataSourceRef", default={})
    owner = owners.controller_of(target) or {}
    is_made = reference.get("name") in names.sources_for(str(owner.get("uid")))
    if is_made or _phase(target) != phases.Claim.PENDING:
        return plan.NOTHING
    message = f"waits for {reference.get('kind')} {reference.get('name')}, which does not exist"
    missing: dict[str, str | None] = {
        annotations.BOUND: annotations.FALSE,
        annotations.BOUND_REASON: reasons.ERR_RESOURCE_MISSING,
        annotations.BOUND_MESSAGE: message,
    }
    news = changed(target, missing)
    event = plan.warning(target, reasons.ERR_RESOURCE_MISSING, message)
    return news.with_events(event) if news.steps else news


def _is_meant(source: Object, target: Object) -> bool:
    wanted = objects.get(source, "spec", "targetClaim")
    return not wanted or wanted == objects.name(target)


def _prime_refused(seen: Seen, error: ApiError) -> plan.Plan:
    return plan.Plan(events=_news(seen, error.message))


def _news(seen: Seen, message: str) -> tuple[plan.Event, ...]:
    """Why there is no prime; told once, however often it is tried."""
    told = (reasons.ERR_CREATING_PRIME, message)
    if any((each.get("reason"), each.get("message")) == told for each in seen.target_events):
        return ()
    return (plan.warning(seen.target, *told),)


# With a prime.


def _with_prime(seen: Seen, populator: Populator, found: Object) -> plan.Plan:
    target = seen.target
    events = tuple(mirror.mirrored(found, target, seen.prime_events, seen.target_events))
    wanted = plan.Plan(events=events).then(populator.advance(seen, found))
    filled = populator.is_filled(found)
    shown, handed_over = _shown(seen, populator, found), plan.NOTHING
    if filled and _phase(target) != phases.Claim.BOUND:
        handed_over = rebind.rebind(seen.volume, found, target)
    order = (handed_over, shown) if populator.hands_over_first else (shown, handed_over)
    wanted = wanted.then(order[0]).then(order[1]).with_events(*populator.news(seen, found))
    if populator.measured and pod_phase(found) == phases.Pod.RUNNING:
        wanted = wanted.then(plan.Plan(again_in=PROGRESS_EVERY))
    return wanted.then(_cleaned_up(seen, populator, found))


def _shown(seen: Seen, populator: Populator, found: Object) -> plan.Plan:
    """What the target shows of its prime, in one change."""
    target = seen.target
    changes: dict[str, str | None] = {
        **prime.synced_annotations(found, target),
        **populator.shown(found),
    }
    changes[annotations.PVC_PRIME] = objects.name(found) if populator.is_named(found) else None
    named = metadata.changed(target, annotations={annotations.PVC_PRIME: objects.name(found)})
    prefix = boundcondition.prefix_of(objects.name(found))
    of_prime = [
        {**event, "message": f"{prefix}{event.get('message') or ''}"}
        for event in seen.prime_events
        # Once the prime has its volume, nothing that happens to it is about binding.
        if event.get("reason") != reasons.CLAIM_MISBOUND and _phase(found) == phases.Claim.PENDING
    ]
    changes |= boundcondition.bound_annotations(named, of_prime)
    if populator.measured:
        changes[annotations.POPULATOR_PROGRESS] = _progress(seen, populator, found)
    labels = prime.travelling_labels(found, target) if populator.is_filled(found) else {}
    return changed(target, changes, labels)


def _progress(seen: Seen, populator: Populator, found: Object) -> str | None:
    known = objects.annotations(seen.target).get(annotations.POPULATOR_PROGRESS)
    if populator.is_filled(found):
        return DONE
    if seen.progress is not None and not seen.progress.startswith("100"):
        return seen.progress  # a full count is no end yet: the disk may still be completed
    if known is None and seen.pod is None and _phase(found) == phases.Claim.BOUND:
        return NOT_AVAILABLE
    return known


def _cleaned_up(seen: Seen, populator: Populator, found: Object) -> plan.Plan:
    """A prime whose volume the target has is of no more use, whatever its phase is by now."""
    target = seen.target
    bound = _phase(target) == phases.Claim.BOUND
    complete = pod_phase(target) == phases.Pod.SUCCEEDED and populator.is_filled(found)
    if not (bound and complete) or objects.is_deleting(found):
        return plan.NOTHING
    handed_over = seen.volume is not None and rebind.is_claim_of(
        objects.get(seen.volume, "spec", "claimRef"), target
    )
    if _phase(found) != phases.Claim.LOST and not handed_over:
        return plan.NOTHING
    if metadata.is_true(found, annotations.RETAIN_AFTER_COMPLETION):
        message = f"PVC Prime {objects.name(found)} is kept, as its target asks"
        if any(event.get("reason") == reasons.PRIME_RETAINED for event in seen.prime_events):
            return plan.NOTHING
        return plan.Plan(events=(plan.warning(found, reasons.PRIME_RETAINED, message),))
    return plan.Plan((plan.Remove(PERSISTENT_VOLUME_CLAIMS, found),))


def _phase(claim: Object) -> str:
    return str(objects.get(claim, "status", "phase", default=""))
