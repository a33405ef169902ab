"""Conditions of a DataVolume: Bound, Ready and Running, from the claim's state and annotations."""

from dataclasses import dataclass
from typing import Any

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import Condition, Status
from cdi.controllers import boundcondition
from cdi.controllers.datavolume.blocked import Blocked
from cdi.kube import objects
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class ConditionState:
    """One condition: what it is about, and what there is to say."""

    type: Condition
    status: Status
    reason: str = ""
    message: str = ""


def conditions_for(
    claim: Object | None, phase: phases.DataVolume, blocked: Blocked | None
) -> tuple[ConditionState, ConditionState, ConditionState]:
    """Bound, Ready and Running, in this order."""
    if blocked is not None:
        refused = (blocked.reason, blocked.message)
        bound = ConditionState(Condition.BOUND, Status.FALSE, *refused)
        ready = ConditionState(Condition.READY, Status.FALSE, *refused)
        return bound, ready, ConditionState(Condition.RUNNING, Status.FALSE)
    running = _running(claim)
    ready = _ready(phase)
    if running.status is Status.TRUE:
        ready = ConditionState(Condition.READY, Status.FALSE, reasons.TRANSFER_RUNNING)
    return _bound(claim), ready, running


def _bound(claim: Object | None) -> ConditionState:
    if claim is None:
        return ConditionState(
            Condition.BOUND, Status.FALSE, reasons.CLAIM_NOT_FOUND, reasons.NO_CLAIM_MESSAGE
        )
    name, given = objects.name(claim), objects.annotations(claim)
    said = given.get(annotations.BOUND)
    reason = given.get(annotations.BOUND_REASON, "")
    message = given.get(annotations.BOUND_MESSAGE, "")
    match objects.get(claim, "status", "phase", default=""):
        case phases.Claim.BOUND if said in (None, annotations.TRUE):
            return ConditionState(
                Condition.BOUND, Status.TRUE, reasons.CLAIM_BOUND, f"PVC {name} Bound"
            )
        case phases.Claim.BOUND:
            return ConditionState(Condition.BOUND, Status.FALSE, reason, message)
        case phases.Claim.PENDING if said is None:
            pending = f"PVC {name} Pending"
            return ConditionState(Condition.BOUND, Status.FALSE, reasons.CLAIM_PENDING, pending)
        case phases.Claim.PENDING:
            prime = given.get(annotations.PVC_PRIME)
            about = boundcondition.prefix_of(prime) if prime else ""
            text = f"target PVC {name} Pending and {about}{message}"
            return ConditionState(Condition.BOUND, Status.FALSE, reason, text)
        case phases.Claim.LOST:
            lost = reasons.CLAIM_LOST_MESSAGE
            return ConditionState(Condition.BOUND, Status.FALSE, reasons.CLAIM_LOST, lost)
        case _:
            return ConditionState(Condition.BOUND, Status.FALSE)


def _ready(phase: phases.DataVolume) -> ConditionState:
    match phase:
        case phases.DataVolume.SUCCEEDED:
            return ConditionState(Condition.READY, Status.TRUE)
        case phases.DataVolume.UNKNOWN:
            return ConditionState(Condition.READY, Status.UNKNOWN)
        case _:
            return ConditionState(Condition.READY, Status.FALSE)


def _running(claim: Object | None) -> ConditionState:
    given = objects.annotations(claim or {})
    if given.get(annotations.POD_SCHEDULABLE) == annotations.FALSE:
        message = f"{reasons.UNSCHEDULABLE_MESSAGE}; kubectl describe of the pod says why"
        return ConditionState(Condition.RUNNING, Status.FALSE, reasons.UNSCHEDULABLE, message)
    target = _pod(given, annotations.RUNNING)
    source = _pod(given, annotations.SOURCE_RUNNING)
    if target.says is None:
        return ConditionState(Condition.RUNNING, Status.FALSE, target.reason, target.message)
    if target.is_up and (source.says is None or source.is_up):
        return ConditionState(Condition.RUNNING, Status.TRUE, target.reason, target.message)
    down = [each for each in (target, source) if each.says is not None and not each.is_up]
    status = Status.FALSE if any(each.is_down for each in down) else Status.UNKNOWN
    return ConditionState(
        Condition.RUNNING,
        status,
        " and ".join(each.reason for each in down),
        " and ".join(each.message for each in down),
    )


@dataclass(frozen=True, slots=True)
class _Pod:
    """What annotations say about one of the pods at work."""

    says: str | None
    reason: str
    message: str

    @property
    def is_up(self) -> bool:
        return (self.says or "").lower() == annotations.TRUE

    @property
    def is_down(self) -> bool:
        return (self.says or "").lower() == annotations.FALSE


def _pod(given: dict[str, Any], prefix: str) -> _Pod:
    return _Pod(
        given.get(prefix), given.get(f"{prefix}.reason", ""), given.get(f"{prefix}.message", "")
    )
