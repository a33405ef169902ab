"""
Clone: the claim gets the content of another claim, or of a snapshot.

Where the class can, the clone populator does it, and its claim says how far it is; elsewhere
bytes are copied into a claim that is bound from the beginning. Before there is a claim, its source
has to exist and to fit, and the size has to be known.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, finalizers, labels, names, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import clonesource, kinds, metadata, plan
from cdi.controllers.datavolume import sizing, source
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.datavolume.operations import clonecheck, restoring
from cdi.controllers.datavolume.operations.clonesource import CLONE_SOURCE
from cdi.controllers.datavolume.operations.operation import (
    Changes,
    Learned,
    Operation,
    Prepared,
)
from cdi.controllers.datavolume.seen import Seen, phase_of
from cdi.controllers.datavolume.transition import Transition
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage.capabilities import COPY

Phase = phases.DataVolume

_REACHED: Final[Mapping[str, tuple[Phase, str]]] = {
    "": (Phase.CLONE_SCHEDULED, reasons.CLONE_SCHEDULED),
    phases.Clone.PENDING: (Phase.CLONE_SCHEDULED, reasons.CLONE_SCHEDULED),
    phases.Clone.SNAPSHOT: (Phase.SNAPSHOT_IN_PROGRESS, reasons.SNAPSHOT_IN_PROGRESS),
    phases.Clone.SNAPSHOT_CLONE: (
        Phase.CLONE_FROM_SNAPSHOT_IN_PROGRESS,
        reasons.CLONE_FROM_SNAPSHOT_IN_PROGRESS,
    ),
    phases.Clone.CSI_CLONE: (Phase.CSI_CLONE_IN_PROGRESS, reasons.CSI_CLONE_IN_PROGRESS),
    phases.Clone.HOST_CLONE: (Phase.CLONE_IN_PROGRESS, reasons.CLONE_IN_PROGRESS),
    phases.Clone.PREP_CLAIM: (Phase.PREP_CLAIM_IN_PROGRESS, reasons.PREP_CLAIM_IN_PROGRESS),
    phases.Clone.REBIND: (Phase.REBIND_IN_PROGRESS, reasons.REBIND_IN_PROGRESS),
    phases.Clone.SUCCEEDED: (Phase.SUCCEEDED, reasons.CLONE_SUCCEEDED),
}


class Clone(Operation):
    """Phases follow from what the clone populator, or the copying pods, say on the claim."""

    controller = "datavolume-clone-controller"
    sources = ("pvc", "snapshot", source.SOURCE_REF)
    source_object = CLONE_SOURCE
    under_way = tuple({phase for phase, _ in _REACHED.values()} - {Phase.SUCCEEDED})
    in_progress = Phase.CLONE_IN_PROGRESS
    clones = True

    def request(self, volume: Object) -> Mapping[str, str]:
        named = clonesource.named_by(volume)
        if named is None:
            return {}
        source = named.key
        if named.kind == clonesource.SNAPSHOT:
            source = Key(named.namespace, names.legacy_source_claim_for(objects.uid(volume)))
        beside = named.namespace == objects.namespace(volume)
        more = {annotations.CLONE_BESIDE: annotations.TRUE} if beside else _short_token(volume)
        return {annotations.CLONE_REQUEST: str(source), **more}

    def is_request(self, key: str) -> bool:
        return key in (annotations.CLONE_REQUEST, annotations.CLONE_BESIDE)

    def beside_reference(self, volume: Object) -> Mapping[str, str]:
        named = clonesource.named_by(volume)
        if named is None or named.namespace == objects.namespace(volume):
            return {}
        return {annotations.DATA_SOURCE_NAMESPACE: named.namespace, **_short_token(volume)}

    # Before there is a claim.

    def finds_size(self, _volume: Object) -> bool:
        return True

    def prepare(self, seen: Seen, spec: dict[str, Any], *, use_populator: bool) -> Prepared:
        clone = _clone_of(seen)
        verdict = clone.verdict
        if verdict.refused:
            return Prepared(spec, _blocked(seen, reasons.NOT_AUTHORIZED, verdict.refused))
        permitted: Changes = {}
        if verdict.extended:
            permitted = {annotations.EXTENDED_CLONE_TOKEN: verdict.extended}
        if why := clonecheck.why_not(seen, clone, spec):
            return Prepared(spec, _blocked(seen, *why), annotations=permitted)
        sized = sizing.sized(seen, clone, spec)
        if sized.blocked is not None:
            return Prepared(spec, sized.blocked, annotations=permitted, wanted=sized.wanted)
        if sized.spec is None:
            waits = Phase.CLONE_SCHEDULED
            return Prepared(spec, waits=waits, annotations=permitted, wanted=sized.wanted)
        if sized.permissive:
            permitted = {**permitted, annotations.PERMISSIVE_CLONE: annotations.TRUE}
        if not use_populator:
            return _in_place(seen, clone, sized.spec, permitted)
        finalizer = finalizers.DATA_VOLUME if clone.is_elsewhere(seen.volume) else ""
        return Prepared(sized.spec, annotations=permitted, finalizer=finalizer)

    # While there is one.

    def claim_changes(self, seen: Seen, claim: Object) -> Changes:
        """The permission to be filled from another namespace, bound to this very claim."""
        token = _clone_of(seen).claim_token
        changes: dict[str, str | None] = {}
        if token:
            changes[annotations.EXTENDED_CLONE_TOKEN] = token
        if annotations.CLONE_REQUEST in objects.annotations(claim):
            changes |= _legacy(claim)
        return changes

    def learned(self, seen: Seen, claim: Object) -> Learned:
        given = objects.annotations(claim)
        strategy = given.get(annotations.CLONE_TYPE)
        found = {annotations.CLONE_TYPE: strategy} if strategy else {}
        if any(key in objects.labels(seen.volume) for key in labels.INSTANCETYPE_DEFAULTS):
            return Learned(found)
        clone = _clone_of(seen)
        there = objects.labels(clone.origin.object or {}) if clone.origin else {}
        there = {**objects.labels(clone.data_source or {}), **there}
        return Learned(found, {k: there[k] for k in labels.INSTANCETYPE_DEFAULTS if k in there})

    def is_filled(self, claim: Object) -> bool:
        if CLONE_SOURCE.fills(claim):
            given = objects.annotations(claim)
            return given.get(annotations.CLONE_PHASE) == phases.Clone.SUCCEEDED
        return super().is_filled(claim)

    def transition(self, seen: Seen, claim: Object, unmoved: Phase) -> Transition:
        if not CLONE_SOURCE.fills(claim):
            return _of_copy(self, seen, claim, unmoved)
        reached = objects.annotations(claim).get(annotations.CLONE_PHASE, "")
        if metadata.is_true(claim, annotations.FATAL_ERROR):
            return _failed_for_good(claim)
        bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
        if reached not in _REACHED or (reached == phases.Clone.SUCCEEDED and not bound):
            return Transition(unmoved)
        phase, reason = _REACHED[reached]
        if phase is Phase.SUCCEEDED:
            return self.succeeded(seen.volume)
        return Transition(phase, reason, _about(seen, f"{_WORDS[phase]}"))

    def succeeded(self, volume: Object) -> Transition:
        message = f"Successfully cloned into {objects.key(volume)}"
        return Transition(Phase.SUCCEEDED, reasons.CLONE_SUCCEEDED, message)

    # Afterwards.

    def afterwards(self, seen: Seen, claim: Object) -> plan.Plan:
        if not self.is_filled(claim) or seen.source_object is not None:
            return plan.NOTHING  # the source object goes first
        return _tidied(seen).then(_released(seen))

    def farewell(self, seen: Seen) -> plan.Plan:
        steps: list[plan.Step] = []
        if seen.source_object is not None:
            steps.append(plan.Remove(kinds.CLONE_SOURCES, seen.source_object))
        return plan.Plan(tuple(steps)).then(_tidied(seen)).then(_released(seen))


_WORDS: Final[Mapping[Phase, str]] = {
    Phase.CLONE_SCHEDULED: "Cloning from {0} into {1} scheduled",
    Phase.SNAPSHOT_IN_PROGRESS: "Creating snapshot for smart-clone is in progress (for {0})",
    Phase.CLONE_FROM_SNAPSHOT_IN_PROGRESS: "Creating PVC from snapshot is in progress (for {1})",
    Phase.CSI_CLONE_IN_PROGRESS: "CSI Volume clone in progress (for {0})",
    Phase.CLONE_IN_PROGRESS: "Cloning from {0} into {1} in progress",
    Phase.PREP_CLAIM_IN_PROGRESS: "Preparing the claim of {1}",
    Phase.REBIND_IN_PROGRESS: "Handing the volume over to {1}",
}


def _short_token(volume: Object) -> dict[str, str]:
    short = objects.annotations(volume).get(annotations.CLONE_TOKEN)
    return {annotations.CLONE_TOKEN: short} if short else {}


def _about(seen: Seen, words: str) -> str:
    clone = _clone_of(seen)
    where = str(clone.origin.source.key) if clone.origin else "its source"
    return words.format(where, str(objects.key(seen.volume)))


def _clone_of(seen: Seen) -> CloneSeen:
    return seen.clone or CloneSeen(unresolved="nobody has looked")


def _blocked(seen: Seen, reason: str, message: str) -> Blocked:
    return Blocked(phase_of(seen), reason, message)


def _tidied(seen: Seen) -> plan.Plan:
    """What was made to measure and to restore goes."""
    clone = _clone_of(seen)
    return sizing.tidied(seen, clone).then(restoring.tidied(seen, clone))


def _released(seen: Seen) -> plan.Plan:
    """The DataVolume is held no longer."""
    held = objects.finalizers(seen.volume)
    if finalizers.DATA_VOLUME not in held:
        return plan.NOTHING
    wanted = {**seen.volume, "metadata": {**objects.metadata(seen.volume)}}
    wanted["metadata"]["finalizers"] = [x for x in held if x != finalizers.DATA_VOLUME]
    return plan.Plan((plan.Change(kinds.DATA_VOLUMES, seen.volume, wanted),))


def _failed_for_good(claim: Object) -> Transition:
    why = objects.annotations(claim).get(annotations.CLONE_ERROR) or "the copy failed"
    message = f"Cloning into {objects.key(claim)} failed: {why}"
    return Transition(Phase.FAILED, reasons.CLONE_FAILED, message, EventType.WARNING)


# A claim that is bound from the beginning, and copied into.


def _in_place(seen: Seen, clone: CloneSeen, spec: dict[str, Any], permitted: Changes) -> Prepared:
    """What is copied is there before the target is: a snapshot is restored first."""
    origin = clone.origin
    if origin is None or not origin.is_snapshot:
        return Prepared(spec, annotations=permitted)
    if why := restoring.why_not(seen, origin):
        blocked = _blocked(seen, reasons.CLONE_VALIDATION_FAILED, why)
        return Prepared(spec, blocked, annotations=permitted)
    return Prepared(
        spec,
        annotations=permitted,
        finalizer=finalizers.DATA_VOLUME,
        wanted=restoring.begun(seen, origin, spec),
    )


def _legacy(claim: Object) -> dict[str, str]:
    if annotations.CLONE_FALLBACK_REASON in objects.annotations(claim):
        return {}
    text = reasons.FALLBACK_TEXTS[reasons.NO_POPULATOR]
    return {annotations.CLONE_TYPE: COPY, annotations.CLONE_FALLBACK_REASON: text}


def _of_copy(operation: Clone, seen: Seen, claim: Object, unmoved: Phase) -> Transition:
    given = objects.annotations(claim)
    bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
    if not bound or annotations.CLONE_REQUEST not in given:
        return Transition(unmoved)
    match given.get(annotations.POD_PHASE, ""):
        case phases.Pod.SUCCEEDED:
            return operation.succeeded(seen.volume)
        case phases.Pod.RUNNING:
            message = _about(seen, _WORDS[Phase.CLONE_IN_PROGRESS])
            return Transition(Phase.CLONE_IN_PROGRESS, reasons.CLONE_IN_PROGRESS, message)
        case phases.Pod.FAILED:
            why = given.get(annotations.RUNNING_MESSAGE) or "the pod failed"
            fatal = metadata.is_true(claim, annotations.FATAL_ERROR)
            phase = Phase.FAILED if fatal else Phase.CLONE_SCHEDULED
            message = f"Cloning into {objects.key(claim)} failed: {why}"
            return Transition(phase, reasons.CLONE_FAILED, message, EventType.WARNING)
        case pod_phase:
            message = _about(seen, _WORDS[Phase.CLONE_SCHEDULED])
            reason = reasons.CLONE_SCHEDULED if pod_phase == phases.Pod.PENDING else ""
            return Transition(Phase.CLONE_SCHEDULED, reason, message)
