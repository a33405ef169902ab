"""The status of a DataVolume, from its claim; and the events that a change of it is worth."""

from collections.abc import Sequence
from typing import Any

from cdi.api import annotations, phases, reasons
from cdi.api.counts import parse_count
from cdi.api.reasons import Condition, Status
from cdi.controllers import kinds, plan
from cdi.controllers.datavolume import adoption, conditions, phase
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.seen import Seen, phase_of, uses_populator
from cdi.controllers.datavolume.transition import Transition
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage.conditions import with_condition

NOT_AVAILABLE = "N/A"
DONE = "100.0%"
PROGRESS_EVERY = 2.0  # seconds between two looks at a worker's progress

Phase = phases.DataVolume

_FILLED = phases.Pod.SUCCEEDED  # as the claim says: its worker ended well


def status_plan(
    seen: Seen,
    operation: Operation,
    blocked: Blocked | None,
    waits: phases.DataVolume | None = None,
) -> plan.Plan:
    """Write the status if it changes, and tell of it. `waits` is a phase without a claim."""
    transition = Transition(waits) if waits else _transition(seen, operation, blocked)
    before: Object = seen.volume.get("status") or {}
    status, said = _status(seen, operation, before, transition, blocked)
    again = PROGRESS_EVERY if asks_for_progress(seen, operation, transition.phase) else None
    if status == before:
        return plan.Plan(again_in=again)
    events = [
        *_transition_event(seen, transition),
        *_condition_events(seen, before, transition.phase, said),
    ]
    step = plan.SetStatus(kinds.DATA_VOLUMES, seen.volume, status)
    return plan.Plan((step,), tuple(events), again_in=again)


def asks_for_progress(seen: Seen, operation: Operation, current: phases.DataVolume) -> bool:
    """Whether the worker itself has to be asked how far it is; a populator asks its own."""
    found = seen.claim
    if found is None or uses_populator(found):
        return False
    at_work = objects.annotations(found).get(annotations.RUNNING) == annotations.TRUE
    return current is operation.in_progress and at_work


def _transition(seen: Seen, operation: Operation, blocked: Blocked | None) -> Transition:
    if blocked is not None:
        return Transition(blocked.phase, blocked.reason, blocked.message, blocked.type, stuck=True)
    return phase.transition_for(seen, operation)


def _status(
    seen: Seen,
    operation: Operation,
    before: Object,
    transition: Transition,
    blocked: Blocked | None,
) -> tuple[Object, Sequence[conditions.ConditionState]]:
    status: dict[str, Any] = {**before}
    if transition.phase:
        status["phase"] = transition.phase.value
    else:
        status.pop("phase", None)
    found = seen.claim
    if found is not None and blocked is None:
        status["claimName"] = objects.name(found)
        status["progress"] = _progress(seen, operation, found, before, transition.phase)
        restarts = parse_count(objects.annotations(found).get(annotations.POD_RESTARTS))
        if restarts is not None:
            status["restartCount"] = restarts
    said = conditions.conditions_for(found, transition.phase, blocked)
    written: list[Object] = before.get("conditions") or []
    for each in said:
        written = with_condition(
            written, each.type.value, each.status.value, each.reason, each.message, seen.now
        )
    status["conditions"] = written
    return status, said


def _progress(
    seen: Seen, operation: Operation, found: Object, before: Object, current: phases.DataVolume
) -> str:
    known = str(before.get("progress") or NOT_AVAILABLE)
    if operation.in_progress is None:
        return NOT_AVAILABLE
    if current is Phase.SUCCEEDED:
        needed = adoption.needs_work(found, seen.volume, seen.gates)
        return DONE if needed else known  # one that needed nothing has made no progress
    if uses_populator(found):
        return objects.annotations(found).get(annotations.POPULATOR_PROGRESS) or NOT_AVAILABLE
    if current in (Phase.PENDING, Phase.WAIT_FOR_FIRST_CONSUMER, Phase.PVC_BOUND):
        return NOT_AVAILABLE
    return seen.progress or known


# Events.


def _transition_event(seen: Seen, transition: Transition) -> list[plan.Event]:
    if not transition.reason or (transition.phase is phase_of(seen) and not transition.stuck):
        return []
    return [plan.Event(seen.volume, transition.type, transition.reason, transition.message)]


def _condition_events(
    seen: Seen,
    before: Object,
    current: phases.DataVolume,
    said: Sequence[conditions.ConditionState],
) -> list[plan.Event]:
    events = []
    by_type = {each.type: each for each in said}
    bound, running = by_type[Condition.BOUND], by_type[Condition.RUNNING]
    if bound.reason and _differs(before, bound):
        events.append(plan.normal(seen.volume, bound.reason, bound.message))
    if _is_worth_telling(seen, before, current, running):
        events.append(plan.warning(seen.volume, running.reason, running.message))
    return events


def _is_worth_telling(
    seen: Seen, before: Object, current: phases.DataVolume, running: conditions.ConditionState
) -> bool:
    """Whether a worker that does not run is news."""
    if not (running.message and running.reason) or running.status is not Status.FALSE:
        return False
    if current is Phase.SUCCEEDED or running.reason == reasons.COMPLETED:
        return False
    if running.message == reasons.SCRATCH_REQUIRED_MESSAGE:
        return False
    found = seen.claim
    if found is None or objects.annotations(found).get(annotations.POD_PHASE) == _FILLED:
        return False
    bound = objects.get(found, "status", "phase") == phases.Claim.BOUND
    old = _condition(before, Condition.RUNNING).get("message") or ""
    return (bound or uses_populator(found)) and old != running.message


def _differs(before: Object, said: conditions.ConditionState) -> bool:
    old = _condition(before, said.type)
    new = (said.status.value, said.reason, said.message)
    return tuple(old.get(key) or "" for key in ("status", "reason", "message")) != new


def _condition(status: Object, kind: Condition) -> Object:
    found: list[Object] = status.get("conditions") or []
    return next((each for each in found if each.get("type") == kind), {})
