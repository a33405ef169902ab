"""A claim without a DataVolume, seen as if it had one. Pure."""

from typing import Final

from cdi.api import annotations, phases
from cdi.cli import rows
from cdi.controllers.datavolume import conditions
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume

_OURS: Final = (
    annotations.SOURCE,
    annotations.ENDPOINT,
    annotations.UPLOAD_TARGET,
    annotations.CLONE_REQUEST,
    annotations.CLONE_TYPE,
)
_GROUP: Final = "cdi.kubevirt.io"


def is_filled_by_us(claim: Object) -> bool:
    """Whether somebody asks CDI to fill a claim, by annotations or by a populator's source."""
    given = objects.annotations(claim)
    return any(key in given for key in _OURS) or _is_populated(claim)


def volume_of(claim: Object, *, waits_for_consumer: bool) -> Object:
    """Return a DataVolume's metadata and status as they would be for this claim."""
    phase = _phase(claim, waits_for_consumer=waits_for_consumer)
    given = objects.annotations(claim)
    stated = conditions.conditions_for(claim, phase, None)
    return {
        "metadata": objects.metadata(claim),
        "status": {
            "phase": phase.value,
            "progress": given.get(annotations.POPULATOR_PROGRESS, ""),
            "conditions": [
                {
                    "type": each.type.value,
                    "status": each.status.value,
                    "reason": each.reason,
                    "message": each.message,
                }
                for each in stated
            ],
        },
    }


def _phase(claim: Object, *, waits_for_consumer: bool) -> Phase:
    given = objects.annotations(claim)
    pod = given.get(annotations.POD_PHASE)
    bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
    if objects.get(claim, "status", "phase") == phases.Claim.LOST:
        return Phase.FAILED
    if bound and (pod == phases.Pod.SUCCEEDED or _is_populated(claim)):
        return Phase.SUCCEEDED
    if given.get(annotations.FATAL_ERROR) == annotations.TRUE:
        return Phase.FAILED
    if not bound and waits_for_consumer and annotations.SELECTED_NODE not in given:
        return Phase.PENDING_POPULATION if _is_populated(claim) else Phase.WAIT_FOR_FIRST_CONSUMER
    if rows.is_upload({}, claim):
        ready = pod == phases.Pod.RUNNING and given.get(annotations.POD_READY) == annotations.TRUE
        return Phase.UPLOAD_READY if ready else Phase.UPLOAD_SCHEDULED
    if pod == phases.Pod.RUNNING:
        return Phase.IMPORT_IN_PROGRESS
    return Phase.IMPORT_SCHEDULED if is_filled_by_us(claim) else Phase.PENDING


def _is_populated(claim: Object) -> bool:
    return bool(objects.get(claim, "spec", "dataSourceRef", "apiGroup") == _GROUP)
