"""What a claim is to say about its import: annotations, and an event where something is new."""

from cdi.api import annotations, labels, phases, reasons
from cdi.controllers import metadata, plan
from cdi.controllers.importing.seen import Seen
from cdi.controllers.working import claims, disksize, scratchclaim
from cdi.controllers.working.report import Report
from cdi.controllers.working.runningcondition import failure_of, running_for, without_next_attempt
from cdi.kube import objects
from cdi.kube.objects import Object


def updated(seen: Seen, found: Object, report: Report, more: dict[str, str | None]) -> plan.Plan:
    """What the pod tells goes into the claim; a failed attempt is told once, when it is new."""
    changes = annotations_of(seen, found, report) | more
    changed = change(seen, changes)
    ended = report.ended
    if not changed.steps or ended is None or report.running or ended.termination.exit_code == 0:
        return changed
    if _is_told(seen.claim, changes):
        return changed
    message = failure_of(ended.termination)
    return changed.with_events(plan.warning(seen.claim, reasons.ERR_IMPORT_FAILED, message))


def _is_told(claim: Object, changes: dict[str, str | None]) -> bool:
    """Whether this attempt's failure has been told: neither its count nor its words are new."""
    given = objects.annotations(claim)
    old, new = given.get(annotations.RUNNING_MESSAGE), changes.get(annotations.RUNNING_MESSAGE)
    same_words = without_next_attempt(old or "") == without_next_attempt(new or "")
    restarts = annotations.POD_RESTARTS
    was_down = given.get(annotations.RUNNING) == annotations.FALSE
    return was_down and same_words and given.get(restarts) == changes.get(restarts)


def annotations_of(seen: Seen, found: Object, report: Report) -> dict[str, str | None]:
    """What a pod says, as annotations of its claim."""
    given = objects.annotations(seen.claim)
    changes = running_for(
        report,
        given.get(annotations.POD_RESTARTS),
        given.get(annotations.RUNNING_MESSAGE, ""),
    )
    changes[annotations.IMPORT_POD] = objects.name(found)
    changes[annotations.POD_SCHEDULABLE] = (
        annotations.FALSE if report.unschedulable else annotations.TRUE
    )
    if phase := _phase_to_show(found, report):
        changes[annotations.POD_PHASE] = phase
    if annotations.CHECKPOINT_CURRENT in given:
        changes[annotations.CHECKPOINT_POD] = objects.uid(found)
    return changes


def _phase_to_show(found: Object, report: Report) -> str:
    """The pod's phase, for clients; none where it would say something else than it means.

    `Succeeded` on a claim means that the volume is filled, whatever the pod's own phase says. How
    a pod looks that is being deleted follows from the deletion, not from the import.
    """
    if report.complete:
        return phases.Pod.SUCCEEDED.value
    if report.phase == phases.Pod.SUCCEEDED or objects.is_deleting(found):
        return ""
    return report.phase


def change(
    seen: Seen, changes: dict[str, str | None], more_labels: dict[str, str] | None = None
) -> plan.Plan:
    """One change of the claim's metadata; none where nothing differs."""
    given = objects.annotations(seen.claim)
    if all(given.get(key) == value for key, value in changes.items()) and not more_labels:
        return plan.NOTHING
    wanted = {labels.APP: labels.APP_VALUE, **(more_labels or {})}
    return claims.change(seen.claim, changes, wanted)


def with_finalizers(claim: Object, wanted: list[str]) -> Object:
    """Return the claim with these finalizers and no others."""
    return {**claim, "metadata": {**claim["metadata"], "finalizers": wanted}}


def completed(seen: Seen, found: Object, report: Report, bound: dict[str, str | None]) -> plan.Plan:
    """Say on the claim that its import is complete, and what the importer has learned."""
    claim = seen.claim
    changes = annotations_of(seen, found, report) | bound | scratchclaim.created(claim)
    changes |= {annotations.POD_PHASE: phases.Pod.SUCCEEDED.value}
    changes |= disksize.noted(claim, report.ended.termination if report.ended else None)
    changes |= dict.fromkeys((annotations.FAILING_SINCE, annotations.FAILED_WITH))
    for remembered in (annotations.REQUIRES_SCRATCH, annotations.REQUIRES_DIRECT_IO):
        if metadata.is_true(claim, remembered):
            changes[remembered] = annotations.FALSE
    ended = report.ended
    if ended is not None and ended.termination.preallocation_applied:
        changes[annotations.PREALLOCATION] = annotations.TRUE
    if ended is not None and (vddk := ended.termination.vddk_info):
        changes |= {annotations.VDDK_VERSION: vddk.version, annotations.VDDK_HOST: vddk.host}
    reported = ended.termination.labels if ended is not None else {}
    fresh = {key: value for key, value in reported.items() if key not in objects.labels(claim)}
    return change(seen, changes, fresh)
