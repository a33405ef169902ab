"""
The phase that follows from a claim, and the event that goes with the change.

A DataVolume on its way to Succeeded never goes back, with one exception that clients know: a
pod that failed as a whole takes it from ImportInProgress to ImportScheduled. An importer that is
started again within its pod, or in a pod that replaces it, stays in progress.
"""

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import metadata
from cdi.controllers.datavolume import adoption, operation
from cdi.controllers.datavolume.external import external_phase
from cdi.controllers.datavolume.operation import Operation
from cdi.controllers.datavolume.seen import (
    Seen,
    is_import_populated,
    uses_populator,
    waits_for_consumer,
)
from cdi.controllers.datavolume.transition import Transition
from cdi.controllers.importing import checkpoints
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume

_BEFORE_BOUND = frozenset(
    {Phase.PENDING, Phase.WAIT_FOR_FIRST_CONSUMER, Phase.UNKNOWN, Phase.UNSET}
)


def phase_of(seen: Seen) -> Phase:
    """The phase as it was."""
    return Phase(objects.get(seen.volume, "status", "phase", default=""))


def transition_for(seen: Seen) -> Transition:
    """The phase that follows from the claim as it is now."""
    found, before = seen.claim, phase_of(seen)
    if is_pending(seen):
        return Transition(Phase.PENDING)
    if found is None:
        return Transition(before)
    needed = adoption.needs_work(found, seen.volume, seen.gates)
    if needed and objects.annotations(found).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED:
        return _operation_transition(seen, found, before)
    match objects.get(found, "status", "phase", default=""):
        case phases.Claim.PENDING | phases.Claim.EMPTY:
            return _while_pending(seen, found, before) if needed else _succeeded(seen)
        case phases.Claim.BOUND:
            bound = Phase.PVC_BOUND if before in _BEFORE_BOUND else before
            return _operation_transition(seen, found, bound) if needed else _succeeded(seen)
        case phases.Claim.LOST:
            message = f"PVC {objects.name(found)} lost its volume"
            return Transition(Phase.FAILED, reasons.ERR_CLAIM_LOST, message, EventType.WARNING)
        case _:
            return Transition(Phase.UNKNOWN)


def is_pending(seen: Seen) -> bool:
    """Whether there is nothing yet that a phase could follow from."""
    if seen.claim is None:
        prepared = metadata.has(seen.volume, annotations.PREPOPULATED)
        return prepared or phase_of(seen) is Phase.UNSET
    return metadata.has(seen.claim, annotations.PERSISTENT_VOLUME_LIST)


def _while_pending(seen: Seen, found: Object, before: Phase) -> Transition:
    """The claim has no volume yet: it waits for one, for a consumer, or for its populator."""
    at_once = metadata.has(found, annotations.BIND_IMMEDIATE)
    waits = waits_for_consumer(found, seen.storage) and not at_once
    if not uses_populator(found):
        if waits and seen.honours_first_consumer:
            return Transition(Phase.WAIT_FOR_FIRST_CONSUMER)
        return _operation_transition(seen, found, Phase.PENDING)
    has_node = bool(objects.annotations(found).get(annotations.SELECTED_NODE))
    if waits and not has_node and seen.prime is None:
        return Transition(Phase.PENDING_POPULATION)
    unmoved = before if before in _UNDER_WAY else Phase.PENDING
    return _operation_transition(seen, found, unmoved)


_UNDER_WAY = frozenset(
    {Phase.PENDING_POPULATION, Phase.IMPORT_SCHEDULED, Phase.IMPORT_IN_PROGRESS, Phase.PAUSED}
)


def _operation_transition(seen: Seen, found: Object, unmoved: Phase) -> Transition:
    """The phase that the operation itself has reached; `unmoved` where it has not begun."""
    if operation.operation_of(seen.volume) is Operation.EXTERNAL:
        return external_phase(seen, found, unmoved)
    return _import_transition(seen, found, unmoved)


def _import_transition(seen: Seen, found: Object, unmoved: Phase) -> Transition:
    given = objects.annotations(found)
    pod_phase = given.get(annotations.POD_PHASE, "")
    name = objects.name(found)
    if pod_phase != phases.Pod.SUCCEEDED and not _has_begun(seen, found):
        return Transition(unmoved)
    match pod_phase:
        case phases.Pod.SUCCEEDED:
            if checkpoints.in_progress(found):
                message = f"a stage of the import into PVC {name} is complete; the next is awaited"
                return Transition(Phase.PAUSED, reasons.IMPORT_PAUSED, message)
            return _succeeded(seen)
        case phases.Pod.RUNNING:
            message = f"import into PVC {name} in progress"
            return Transition(Phase.IMPORT_IN_PROGRESS, reasons.IMPORT_IN_PROGRESS, message)
        case phases.Pod.FAILED:
            return _failed(found)
        case _:
            if phase_of(seen) is Phase.IMPORT_IN_PROGRESS:
                return Transition(Phase.IMPORT_IN_PROGRESS)
            message = f"import into PVC {name} scheduled"
            reason = reasons.IMPORT_SCHEDULED if pod_phase == phases.Pod.PENDING else ""
            return Transition(Phase.IMPORT_SCHEDULED, reason, message)


def _has_begun(seen: Seen, found: Object) -> bool:
    """Whether the claim that the importer writes has its volume and its pod."""
    importing = seen.prime if is_import_populated(found) else found
    if importing is None:
        return False
    bound = objects.get(importing, "status", "phase") == phases.Claim.BOUND
    given = objects.annotations(importing)
    refused = given.get(annotations.POD_PHASE) == phases.Pod.FAILED
    return bound and (annotations.IMPORT_POD in given or refused)


def _failed(found: Object) -> Transition:
    why = objects.annotations(found).get(annotations.RUNNING_MESSAGE) or "the pod failed"
    fatal = metadata.is_true(found, annotations.FATAL_ERROR)
    phase = Phase.FAILED if fatal else Phase.IMPORT_SCHEDULED
    message = f"import into PVC {objects.name(found)} failed: {why}"
    return Transition(phase, reasons.IMPORT_FAILED, message, EventType.WARNING)


def _succeeded(seen: Seen) -> Transition:
    name = objects.name(seen.volume)
    if operation.operation_of(seen.volume) is Operation.EXTERNAL:
        return Transition(
            Phase.SUCCEEDED, reasons.EXTERNAL_POPULATION_SUCCEEDED, f"PVC {name} is filled"
        )
    return Transition(
        Phase.SUCCEEDED, reasons.IMPORT_SUCCEEDED, f"import into PVC {name} succeeded"
    )
