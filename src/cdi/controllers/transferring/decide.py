"""
What to do next about one ObjectTransfer: its phases, which are the same for both kinds.

    phase            what happens
    none             it is held by a finalizer
    Pending          its source is looked at until it can be moved, and is remembered then
    Running, Error   one step after the other; an error is shown, and tried again
    Complete         it is let go

A transfer that is deleted while it is Running goes on. One that has an Error goes only if its
source or its target exists: else nobody but itself would know what there was. Pure.
"""

from typing import Any, Final

from cdi.api import annotations, finalizers
from cdi.api.reasons import Status
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.transferring import claims, moved, volumes
from cdi.controllers.transferring.outcome import Outcome, waits
from cdi.controllers.transferring.seen import DATA_VOLUME, SOURCE, Seen, kind_of
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.storage.conditions import with_condition

LOOK_AGAIN: Final = 2.0  # seconds

PENDING, RUNNING, COMPLETE, ERROR = "Pending", "Running", "Complete", "Error"


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    phase = objects.get(seen.transfer, "status", "phase", default="")
    deleting = objects.is_deleting(seen.transfer)
    match phase:
        case "":
            return plan.NOTHING if deleting else _held(seen)
        case "Pending":
            return _let_go(seen) if deleting else _pending(seen)
        case "Complete":
            return _let_go(seen)
        case "Error" if deleting and (seen.source is not None or seen.target is not None):
            return _let_go(seen)
        case _:
            return _running(seen)


def _held(seen: Seen) -> plan.Plan:
    found = seen.transfer
    held = [*objects.finalizers(found), finalizers.OBJECT_TRANSFER]
    wanted = {**found, "metadata": {**found["metadata"], "finalizers": held}}
    first = plan.Plan((plan.Change(kinds.OBJECT_TRANSFERS, found, wanted),))
    return first.then(_shown(seen, PENDING, waits("Initializing")))


def _let_go(seen: Seen) -> plan.Plan:
    found = seen.transfer
    if finalizers.OBJECT_TRANSFER not in objects.finalizers(found):
        return plan.NOTHING
    rest = [name for name in objects.finalizers(found) if name != finalizers.OBJECT_TRANSFER]
    wanted = {**found, "metadata": {**found["metadata"], "finalizers": rest}}
    return plan.Plan((plan.Change(kinds.OBJECT_TRANSFERS, found, wanted),))


def _pending(seen: Seen) -> plan.Plan:
    is_volume = kind_of(seen.transfer) == DATA_VOLUME
    why = volumes.why_not(seen) if is_volume else claims.why_not(seen)
    why = why or _claimed(seen) or _incomplete(seen)
    source = seen.source
    if why is not None or source is None:
        return _shown(seen, PENDING, why or waits("No source")).then(_again())
    resource = kinds.DATA_VOLUMES if is_volume else PERSISTENT_VOLUME_CLAIMS
    name = objects.name(seen.transfer)
    marked = metadata.changed(source, annotations={annotations.OBJECT_TRANSFER: name})
    first = plan.Plan((plan.Change(resource, source, marked),))
    begun = Outcome("Running", data={SOURCE: moved.remembered(marked)})
    return first.then(_shown(seen, RUNNING, begun)).then(_again())


def _claimed(seen: Seen) -> Outcome | None:
    other = objects.annotations(seen.source or {}).get(annotations.OBJECT_TRANSFER)
    if other in (None, objects.name(seen.transfer)):
        return None
    return waits("Source in use by another transfer", other)


def _incomplete(seen: Seen) -> Outcome | None:
    wanted = objects.get(seen.transfer, "spec", "source", "requiredAnnotations", default={})
    given = objects.annotations(seen.source or {})
    missing = [key for key, value in wanted.items() if given.get(key) != value]
    return waits("Required annotation missing", missing[0]) if missing else None


def _running(seen: Seen) -> plan.Plan:
    handler = volumes if kind_of(seen.transfer) == DATA_VOLUME else claims
    found = handler.step(seen)
    if found.steps.steps:
        return _told(seen, found.steps).then(_again())
    if found.complete:
        return _shown(seen, COMPLETE, found)
    return _shown(seen, ERROR if found.failed else RUNNING, found).then(_again())


def _told(seen: Seen, steps: plan.Plan) -> plan.Plan:
    """Steps whose refusal is shown as an error."""

    def refused(error: ApiError) -> plan.Plan:
        return _shown(seen, ERROR, Outcome("Error", error.message, failed=True))

    told = (
        plan.Create(each.resource, each.object, refused=refused)
        if isinstance(each, plan.Create)
        else each
        for each in steps.steps
    )
    return plan.Plan(tuple(told))


def _again() -> plan.Plan:
    return plan.Plan(again_in=LOOK_AGAIN)


def _shown(seen: Seen, phase: str, found: Outcome) -> plan.Plan:
    before: Object = seen.transfer.get("status") or {}
    status: dict[str, Any] = {**before, "phase": phase}
    status["conditions"] = with_condition(
        before.get("conditions") or [],
        "Complete",
        (Status.TRUE if found.complete else Status.FALSE).value,
        found.why,
        found.message,
        seen.now,
    )
    status["data"] = {} if found.complete else {**seen.data, **found.data}
    if status == {"data": {}, **before}:
        return plan.NOTHING
    return plan.Plan((plan.SetStatus(kinds.OBJECT_TRANSFERS, seen.transfer, status),))
