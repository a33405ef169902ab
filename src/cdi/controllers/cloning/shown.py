"""What a target says of its clone: annotations that the DataVolume, and people, read."""

from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.api.phases import Clone
from cdi.controllers import boundcondition
from cdi.controllers.cloning.outcome import Outcome
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.populating.populator import pod_phase
from cdi.kube import objects, owners

DONE: Final = "100.0%"

Changes = dict[str, str | None]

# What a worker that copies has said on the temporary claim, for the target to say, too.
_COPIED: Final = (
    annotations.POD_RESTARTS,
    annotations.PREALLOCATION,
    annotations.CLONE_OF,
    annotations.VIRTUAL_SIZE,
    annotations.SOURCE_CAPACITY,
)


def annotations_for(seen: Seen, phase: Clone, outcome: Outcome) -> Changes:
    """The annotations of the target that follow from the phase that it has reached."""
    found: Changes = {annotations.CLONE_PHASE: phase.value}
    error = outcome.note if phase is Clone.ERROR else None
    if error is not None or annotations.CLONE_ERROR in objects.annotations(seen.target):
        found[annotations.CLONE_ERROR] = error
    if outcome.fatal:
        found[annotations.FATAL_ERROR] = annotations.TRUE
    found |= _from_temporary(seen) | _running(seen, phase, outcome) | _bound(seen)
    if phase is Clone.SUCCEEDED:
        found[annotations.POPULATOR_PROGRESS] = DONE
    elif outcome.progress is not None:
        found[annotations.POPULATOR_PROGRESS] = outcome.progress
    return found


def _from_temporary(seen: Seen) -> Changes:
    there = objects.annotations(seen.temporaries.claim or {})
    return {key: there[key] for key in _COPIED if key in there}


def _running(seen: Seen, phase: Clone, outcome: Outcome) -> Changes:
    """Condition Running, for the DataVolume that the target belongs to."""
    owner = owners.controller_of(seen.target) or {}
    if owner.get("kind") != "DataVolume":
        return {}
    match phase:
        case Clone.SUCCEEDED:
            return _said(False, reasons.CLONE_COMPLETE_MESSAGE, reasons.COMPLETED)
        case Clone.PENDING:
            return _said(False, outcome.note or "Clone Pending", reasons.CLONE_PENDING)
        case Clone.ERROR:
            return _said(False, outcome.note, reasons.ERROR)
    there = objects.annotations(seen.temporaries.claim or {})
    if annotations.RUNNING in there and pod_phase(seen.temporaries.claim or {}):
        keys = (annotations.RUNNING, annotations.RUNNING_MESSAGE, annotations.RUNNING_REASON)
        return {key: there.get(key, "") for key in keys}
    return _said(True, outcome.note, reasons.POPULATOR_RUNNING)


def _said(running: bool, message: str, reason: str) -> Changes:
    return {
        annotations.RUNNING: annotations.TRUE if running else annotations.FALSE,
        annotations.RUNNING_MESSAGE: message,
        annotations.RUNNING_REASON: reason,
    }


def _bound(seen: Seen) -> Changes:
    """Why there is no volume yet; once the temporary claim has one, that is over."""
    phase = objects.get(seen.temporaries.claim, "status", "phase")
    said = seen.temporary_events if phase == phases.Claim.PENDING else ()
    return boundcondition.bound_annotations(seen.target, said)
