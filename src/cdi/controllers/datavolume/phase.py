"""
The phase that follows from a claim, and the event that goes with the change.

A DataVolume on its way to Succeeded never goes back, with one exception that clients know: a
worker's pod that failed as a whole takes it from in progress to scheduled. What an operation has
reached is for the operation to say (`operations`); here is what is the same for all of them.
"""

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import metadata
from cdi.controllers.datavolume import adoption
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.seen import Seen, phase_of, uses_populator, waits_for_consumer
from cdi.controllers.datavolume.transition import Transition
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume

_BEFORE_BOUND = frozenset(
    {Phase.PENDING, Phase.WAIT_FOR_FIRST_CONSUMER, Phase.UNKNOWN, Phase.UNSET}
)


def transition_for(seen: Seen, operation: Operation) -> Transition:
    """The phase that follows from the claim as it is now."""
    found, before = seen.claim, phase_of(seen)
    if is_pending(seen):
        return Transition(Phase.PENDING)
    if found is None:
        # Whatever was ready, or had failed, has gone with its claim; another one is made.
        return Transition(Phase.PENDING if before.final else before)
    if objects.get(found, "status", "phase") == phases.Claim.LOST:
        message = f"PVC {objects.name(found)} lost its volume"
        return Transition(Phase.FAILED, reasons.ERR_CLAIM_LOST, message, EventType.WARNING)
    needed = adoption.needs_work(found, seen.volume, seen.gates)
    if needed and objects.annotations(found).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED:
        reached = operation.transition(seen, found, before)
        return Transition(before) if _is_ahead_of_its_volume(reached, found) else reached
    match objects.get(found, "status", "phase", default=""):
        case phases.Claim.PENDING | phases.Claim.EMPTY if needed:
            return _while_pending(seen, operation, found, before)
        case phases.Claim.BOUND if needed:
            bound = Phase.PVC_BOUND if before in _BEFORE_BOUND else before
            return operation.transition(seen, found, bound)
        case phases.Claim.PENDING | phases.Claim.EMPTY | phases.Claim.BOUND:
            return Transition(Phase.SUCCEEDED)  # nothing was done, so there is nothing to tell
        case _:
            return Transition(Phase.UNKNOWN)


def _is_ahead_of_its_volume(reached: Transition, found: Object) -> bool:
    """Whether the prime is filled and its volume has not been handed over to the claim yet.

    Who waits for Succeeded goes on to use the claim, and has to find the disk there.
    """
    bound = objects.get(found, "status", "phase") == phases.Claim.BOUND
    return reached.phase is Phase.SUCCEEDED and uses_populator(found) and not bound


def is_pending(seen: Seen) -> bool:
    """Whether there is nothing yet that a phase could follow from."""
    if seen.claim is None:
        prepared = metadata.has(seen.volume, annotations.PREPOPULATED)
        return prepared or phase_of(seen) is Phase.UNSET
    return metadata.has(seen.claim, annotations.PERSISTENT_VOLUME_LIST)


def _while_pending(seen: Seen, operation: Operation, found: Object, before: Phase) -> Transition:
    """The claim has no volume yet: it waits for one, for a consumer, or for its populator."""
    at_once = metadata.has(found, annotations.BIND_IMMEDIATE)
    waits = waits_for_consumer(found, seen.storage) and not at_once
    if not uses_populator(found):
        if waits and seen.honours_first_consumer:
            return Transition(Phase.WAIT_FOR_FIRST_CONSUMER)
        return operation.transition(seen, found, Phase.PENDING)
    has_node = bool(objects.annotations(found).get(annotations.SELECTED_NODE))
    if waits and not has_node and seen.prime is None:
        return Transition(Phase.PENDING_POPULATION)
    stays = before is Phase.PENDING_POPULATION or before in operation.under_way
    return operation.transition(seen, found, before if stays else Phase.PENDING)
