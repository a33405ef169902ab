"""
What to do next about one target claim of the import populator.

    prime    target        what happens
    none     can be filled the prime is created
    at work  -             the target shows what the prime shows, and how far it is
    filled   not bound     labels and annotations first, then the volume is handed over
    Lost     bound         the prime is deleted, unless it is to be kept

A prime that exists is followed to its end, even if source or class have been deleted meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.api import annotations, phases, reasons
from cdi.api import resources as ours
from cdi.controllers import boundcondition, kinds, metadata, plan
from cdi.controllers.importing import checkpoints
from cdi.controllers.populating import mirror, prime, readiness, rebind
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

DONE = "100.0%"
NOT_AVAILABLE = "N/A"
PROGRESS_EVERY = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Seen:
    """One target and what concerns it."""

    target: Object
    settings: Settings
    prime: Object | None = None
    import_source: Object | None = None
    volume: Object | None = None  # the prime's
    pod: Object | None = None  # the prime's importer
    progress: str | None = None  # as the importer told it just now
    prime_events: Sequence[Object] = ()
    target_events: Sequence[Object] = ()
    classes: Sequence[Object] = ()
    config: Object | None = None


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    if objects.is_deleting(seen.target):
        return plan.NOTHING
    if seen.prime is None:
        return _without_prime(seen)
    return _with_prime(seen, seen.prime)


def is_target(claim: Object) -> bool:
    """Whether a claim asks this populator to fill it."""
    reference = objects.get(claim, "spec", "dataSourceRef", default={})
    return (
        reference.get("apiGroup") == ours.CDI_GROUP
        and reference.get("kind") == kinds.IMPORT_SOURCES.kind
        and bool(reference.get("name"))
        and reference.get("namespace") is None
    )


# Without a prime.


def _without_prime(seen: Seen) -> plan.Plan:
    target, source = seen.target, seen.import_source
    if not is_target(target) or source is None or not _is_meant(source, target):
        return plan.NOTHING
    if _phase(target) in (phases.Claim.BOUND, phases.Claim.LOST):
        return plan.NOTHING
    try:
        ready = readiness.readiness_of(target, seen.classes)
    except readiness.ClassNotUsable as error:
        event = plan.warning(target, reasons.ERR_CREATING_PRIME, str(error))
        return plan.Plan(events=(event,), failure=plan.NotYet(str(error)))
    if not ready.ready:
        return plan.NOTHING
    wanted = prime.prime_for(
        target,
        source,
        seen.settings,
        node=ready.node,
        preallocate_by_default=objects.get(seen.config, "status", "preallocation") is True,
    )
    create = plan.Create(
        PERSISTENT_VOLUME_CLAIMS, wanted, refused=lambda error: _prime_refused(target, error)
    )
    named: dict[str, str | None] = {annotations.PVC_PRIME: objects.name(wanted)}
    message = f"PVC Prime {objects.name(wanted)} created successfully"
    made = plan.normal(target, reasons.PRIME_CREATED, message)
    return plan.Plan((create,), (made,)).then(_change(target, named))


def _is_meant(source: Object, target: Object) -> bool:
    wanted = objects.get(source, "spec", "targetClaim")
    return not wanted or wanted == objects.name(target)


def _prime_refused(target: Object, error: ApiError) -> plan.Plan:
    event = plan.warning(target, reasons.ERR_CREATING_PRIME, error.message)
    return plan.Plan(events=(event,))


# With a prime.


def _with_prime(seen: Seen, found: Object) -> plan.Plan:
    target = seen.target
    events = tuple(mirror.mirrored(found, target, seen.prime_events, seen.target_events))
    wanted = plan.Plan(events=events)
    staged = checkpoints.in_progress(found)
    succeeded = _pod_phase(found) == phases.Pod.SUCCEEDED
    if succeeded and staged:
        wanted = wanted.then(_next_stage(seen, found))
    elif _pod_phase(found) == phases.Pod.RUNNING:
        wanted = wanted.then(_first_stage(seen, found))
    moves = succeeded and not staged
    shown = _shown(seen, found, moves=moves)
    wanted = wanted.then(shown)
    if moves and _phase(target) != phases.Claim.BOUND:
        wanted = wanted.then(rebind.rebind(seen.volume, found, target))
    wanted = wanted.with_events(*_news(seen, found, moves=moves))
    if _pod_phase(found) == phases.Pod.RUNNING:
        wanted = wanted.then(plan.Plan(again_in=PROGRESS_EVERY))
    return wanted.then(_cleaned_up(seen, found))


def _shown(seen: Seen, found: Object, *, moves: bool) -> plan.Plan:
    """What the target shows of its prime, in one change."""
    target = seen.target
    changes = prime.synced_annotations(found, target)
    if annotations.PVC_PRIME not in objects.annotations(target):
        changes[annotations.PVC_PRIME] = objects.name(found)
    named = metadata.changed(target, annotations={annotations.PVC_PRIME: objects.name(found)})
    prefix = boundcondition.prefix_of(objects.name(found))
    of_prime = [
        {**event, "message": f"{prefix}{event.get('message') or ''}"}
        for event in seen.prime_events
        # Once the prime has its volume, nothing that happens to it is about binding.
        if event.get("reason") != reasons.CLAIM_MISBOUND and _phase(found) == phases.Claim.PENDING
    ]
    changes |= boundcondition.bound_annotations(named, of_prime)
    changes[annotations.POPULATOR_PROGRESS] = _progress(seen, found)
    labels = prime.travelling_labels(found, target) if moves else {}
    return _change(target, changes, labels)


def _progress(seen: Seen, found: Object) -> str | None:
    known = objects.annotations(seen.target).get(annotations.POPULATOR_PROGRESS)
    if _pod_phase(found) == phases.Pod.SUCCEEDED and not checkpoints.in_progress(found):
        return DONE
    if seen.progress is not None and not seen.progress.startswith("100"):
        return seen.progress  # a full count is no end yet: the disk may still be completed
    if known is None and seen.pod is None and _phase(found) == phases.Claim.BOUND:
        return NOT_AVAILABLE
    return known


def _first_stage(seen: Seen, found: Object) -> plan.Plan:
    stages, final = _stages(seen)
    if not checkpoints.are_missing(found, stages):
        return plan.NOTHING
    return _change(found, checkpoints.first(stages, final=final))


def _next_stage(seen: Seen, found: Object) -> plan.Plan:
    stages, final = _stages(seen)
    changes = checkpoints.after_stage(found, stages, final=final)
    message = f"a stage of the import into PVC {objects.name(seen.target)} is complete"
    paused = plan.normal(seen.target, reasons.IMPORT_PAUSED, message)
    moved = _change(found, changes)
    return moved.with_events(paused) if moved.steps else moved


def _stages(seen: Seen) -> tuple[Sequence[Object], bool]:
    """Checkpoints of the source; one that was deleted has none, and must not be in the way."""
    spec = objects.get(seen.import_source, "spec", default={})
    return spec.get("checkpoints") or (), spec.get("finalCheckpoint") is True


def _news(seen: Seen, found: Object, *, moves: bool) -> list[plan.Event]:
    """What is told once, when the prime's pod has come to an end that the target does not show."""
    target, name = seen.target, objects.name(seen.target)
    if _pod_phase(found) == _pod_phase(target):
        return []
    if moves:
        message = f"import into PVC {name} succeeded"
        return [plan.normal(target, reasons.POPULATOR_IMPORT_SUCCEEDED, message)]
    if _pod_phase(found) == phases.Pod.FAILED:
        why = objects.annotations(found).get(annotations.RUNNING_MESSAGE) or "the pod failed"
        message = f"import into PVC {name} failed: {why}"
        return [plan.warning(target, reasons.POPULATOR_IMPORT_FAILED, message)]
    return []


def _cleaned_up(seen: Seen, found: Object) -> plan.Plan:
    """A prime whose volume the target has is of no more use, whatever its phase is by now."""
    target = seen.target
    bound = _phase(target) == phases.Claim.BOUND
    complete = _pod_phase(target) == phases.Pod.SUCCEEDED
    if not (bound and complete) or checkpoints.in_progress(found) or objects.is_deleting(found):
        return plan.NOTHING
    handed_over = seen.volume is not None and rebind.is_claim_of(
        objects.get(seen.volume, "spec", "claimRef"), target
    )
    if _phase(found) != phases.Claim.LOST and not handed_over:
        return plan.NOTHING
    if metadata.is_true(found, annotations.RETAIN_AFTER_COMPLETION):
        message = f"PVC Prime {objects.name(found)} is kept, as its target asks"
        return plan.Plan(events=(plan.warning(found, reasons.PRIME_RETAINED, message),))
    return plan.Plan((plan.Remove(PERSISTENT_VOLUME_CLAIMS, found),))


def _change(
    claim: Object, changes: dict[str, str | None], labels: dict[str, str] | None = None
) -> plan.Plan:
    given = objects.annotations(claim)
    if all(given.get(key) == value for key, value in changes.items()) and not labels:
        return plan.NOTHING
    more: dict[str, str | None] = {**(labels or {})}
    wanted = metadata.changed(claim, annotations=changes, labels=more)
    return plan.Plan((plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted),))


def _phase(claim: Object) -> str:
    return str(objects.get(claim, "status", "phase", default=""))


def _pod_phase(claim: Object) -> str:
    return objects.annotations(claim).get(annotations.POD_PHASE, "")
