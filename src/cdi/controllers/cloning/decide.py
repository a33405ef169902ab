"""
What to do next about the target of one clone.

    clonePhase     what happens
    none           the strategy is chosen, and kept on the target with the finalizer
    any other      the phases of the strategy are gone through; the first that is not done acts
    Succeeded      what was temporary goes, then the finalizer
    (deleted)      the same, at whatever phase

What a phase creates is created before the target says that it is in that phase; what it says
never decides, so a crash between the two costs nothing.
"""

from dataclasses import replace

from cdi.api import annotations, finalizers, labels, phases, reasons
from cdi.api.phases import Clone
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.cloning import planner, shown, strategy
from cdi.controllers.cloning.outcome import (
    CannotClone,
    CopyFailed,
    Outcome,
    SourceMissing,
    TooSmall,
    wait,
)
from cdi.controllers.cloning.seen import Seen, volume_mode
from cdi.controllers.populating import mirror, readiness
from cdi.controllers.populating.prime import changed
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, Resource
from cdi.storage import modes
from cdi.storage.capabilities import COPY

RETRY = 5.0  # seconds


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    target = seen.target
    if objects.is_deleting(target) or _phase(target) == Clone.SUCCEEDED:
        return _cleaned_up(seen) if _is_held(target) else plan.NOTHING
    try:
        ready = readiness.readiness_of(target, seen.classes)
    except readiness.ClassNotUsable as error:
        return _failed(seen, CannotClone(str(error)))
    if not ready.ready:
        return _shown(seen, Clone.PENDING, Outcome())
    if seen.source_object is None:
        reference = objects.get(target, "spec", "dataSourceRef", "name")
        return _shown(seen, Clone.PENDING, wait(f"waits for VolumeCloneSource {reference}"))
    if seen.refused:
        return _shown(seen, Clone.PENDING, wait(seen.refused, RETRY))
    try:
        chosen = strategy.preset(target)
        return _advanced(seen, chosen) if chosen and _is_held(target) else _begun(seen, chosen)
    except SourceMissing as error:
        return _without_source(seen, str(error))
    except TooSmall as error:
        return _failed(seen, error).with_events(*_told_of_size(seen, str(error)))
    except CannotClone as error:
        return _failed(seen, error)


def _phase(target: Object) -> str:
    return objects.annotations(target).get(annotations.CLONE_PHASE, "")


def _is_held(target: Object) -> bool:
    return finalizers.CLONE_POPULATOR in objects.finalizers(target)


# The beginning.


def _begun(seen: Seen, chosen: str) -> plan.Plan:
    """Choose, keep the choice, and stop: the next look goes on from what is written."""
    choice = strategy.Choice(chosen) if chosen else strategy.choose(seen)
    noted: dict[str, str | None] = {
        annotations.CLONE_TYPE: choice.strategy,
        annotations.CLONE_PHASE: Clone.PENDING.value,
    }
    known = objects.annotations(seen.target).get(annotations.CLONE_FALLBACK_REASON)
    if choice.fallback and not known:
        noted[annotations.CLONE_FALLBACK_REASON] = reasons.FALLBACK_TEXTS[choice.fallback]
    named = {labels.APP: labels.APP_VALUE}
    if volume_mode(seen.target) == modes.FILESYSTEM:
        named[labels.FILLING_UP_ALERT] = "disabled"
    wanted = metadata.changed(seen.target, annotations=noted, labels={**named})
    wanted["metadata"]["finalizers"] = [
        *objects.finalizers(seen.target),
        *(() if _is_held(seen.target) else (finalizers.CLONE_POPULATOR,)),
    ]
    step = plan.Change(PERSISTENT_VOLUME_CLAIMS, seen.target, wanted)
    return plan.Plan((step,), tuple(_told_of_choice(seen, choice)))


def _told_of_choice(seen: Seen, choice: strategy.Choice) -> list[plan.Event]:
    told = []
    if choice.fallback:
        text = reasons.FALLBACK_TEXTS[choice.fallback]
        told.append(plan.warning(seen.target, choice.fallback, text))
    if choice.snapshot_class is not None:
        name, why = choice.snapshot_class.name, choice.snapshot_class.why
        text = f"VolumeSnapshotClass selected: {name} ({why})"
        told.append(plan.normal(seen.target, reasons.SNAPSHOT_CLASS_SELECTED, text))
    return told


def _without_source(seen: Seen, why: str) -> plan.Plan:
    wanted = _shown(seen, Clone.PENDING, wait(why, RETRY))
    return wanted.with_events(*_news(seen, reasons.CLONE_WITHOUT_SOURCE, why))


def _told_of_size(seen: Seen, why: str) -> list[plan.Event]:
    return [
        *_news(seen, reasons.ERR_INCOMPATIBLE_PVC, why),
        *_news(seen, reasons.CLONE_VALIDATION_FAILED, why),
    ]


def _news(seen: Seen, reason: str, message: str) -> list[plan.Event]:
    """A warning, unless it has been told."""
    told = ((each.get("reason"), each.get("message")) for each in seen.target_events)
    return [] if (reason, message) in told else [plan.warning(seen.target, reason, message)]


# The phases.


def _advanced(seen: Seen, chosen: str) -> plan.Plan:
    if objects.get(seen.target, "status", "phase") == phases.Claim.BOUND:
        return _shown(seen, Clone.SUCCEEDED, Outcome(done=True))
    if seen.cloned.object is None and seen.temporaries.claim is None:
        raise SourceMissing(f"{seen.cloned.source} does not exist any more")
    phase, outcome = planner.advance(seen, chosen)
    if outcome.failed is not None:
        return outcome.wanted.then(_failed(seen, outcome.failed))
    if phase is Clone.SUCCEEDED:  # the volume is promised; the binding of the target is awaited
        return _shown(seen, Clone.REBIND, Outcome())
    return _mirrored(seen).then(_shown(seen, phase, outcome))


def _mirrored(seen: Seen) -> plan.Plan:
    claim = seen.temporaries.claim
    if claim is None:
        return plan.NOTHING
    told = mirror.mirrored(claim, seen.target, seen.temporary_events, seen.target_events)
    return plan.Plan(events=tuple(told))


def _shown(seen: Seen, phase: Clone, outcome: Outcome) -> plan.Plan:
    return outcome.wanted.then(changed(seen.target, shown.annotations_for(seen, phase, outcome)))


def _failed(seen: Seen, error: CannotClone) -> plan.Plan:
    """Say so; it is tried again with growing pauses, unless that makes no sense."""
    final = isinstance(error, CopyFailed)
    told = _shown(seen, Clone.ERROR, Outcome(note=str(error), fatal=final))
    return told if final else replace(told, failure=error)


# The end.


def _cleaned_up(seen: Seen) -> plan.Plan:
    steps: list[plan.Step] = []
    events: tuple[plan.Event, ...] = ()
    if _is_retained(seen):
        text = "what the clone made for itself is kept, as the claim asks"
        events = (plan.warning(seen.target, reasons.PRIME_RETAINED, text),)
    else:
        steps = [
            plan.Remove(resource_of(each), each)
            for each in seen.temporaries.all()
            if not objects.is_deleting(each)
        ]
    wanted = {**seen.target, "metadata": {**objects.metadata(seen.target)}}
    held = objects.finalizers(seen.target)
    wanted["metadata"]["finalizers"] = [x for x in held if x != finalizers.CLONE_POPULATOR]
    steps.append(plan.Change(PERSISTENT_VOLUME_CLAIMS, seen.target, wanted))
    return plan.Plan(tuple(steps), events)


def _is_retained(seen: Seen) -> bool:
    copied = objects.annotations(seen.target).get(annotations.CLONE_TYPE) == COPY
    asked = metadata.is_true(seen.target, annotations.RETAIN_AFTER_COMPLETION)
    return copied and asked and not objects.is_deleting(seen.target)


def resource_of(obj: Object) -> Resource:
    """The kind of something that a clone makes for itself."""
    known = {each.kind: each for each in (PERSISTENT_VOLUME_CLAIMS, PODS, kinds.SNAPSHOTS)}
    return known[str(obj["kind"])]
