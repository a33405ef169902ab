"""
What to do next about one DataVolume: what there should be, and what its status says of it.

The claim is created before the status is written, and the status speaks of what was seen, so
that a crash between the two is mended by the next look.
"""

from __future__ import annotations

from dataclasses import replace

from cdi.api import phases, reasons
from cdi.controllers import plan
from cdi.controllers.datavolume import status, sync
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.registry import operation_of
from cdi.controllers.datavolume.seen import Seen, phase_of
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    operation = operation_of(seen.volume)
    if operation is None:
        return plan.NOTHING
    if objects.is_deleting(seen.volume):
        return operation.farewell(seen)
    synced = sync.sync(seen, operation)
    wanted = synced.wanted
    if synced.create is not None:
        create = plan.Create(
            PERSISTENT_VOLUME_CLAIMS,
            synced.create,
            refused=lambda error: _claim_refused(seen, operation, error),
        )
        wanted = wanted.with_steps(create)
    return wanted.then(status.status_plan(seen, operation, synced.blocked, synced.waits))


def _claim_refused(seen: Seen, operation: Operation, error: ApiError) -> plan.Plan:
    """The server does not take the claim: because of a quota, or because it is no good."""
    if reasons.EXCEEDED_QUOTA_TEXT in error.message:
        reason, message = reasons.ERR_EXCEEDED_QUOTA, f"{error.message}; it is tried again"
        phase = phases.DataVolume.PENDING
    else:
        reason, message = reasons.ERR_CLAIM_NOT_VALID, error.message
        phase = phase_of(seen)
    blocked = Blocked(phase, reason, message)
    return status.status_plan(replace(seen, claim=None), operation, blocked)
