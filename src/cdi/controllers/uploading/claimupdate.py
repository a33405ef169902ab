"""What a claim is to say about its upload server: annotations, and an event where one is news."""

from collections.abc import Mapping
from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.controllers import metadata, plan
from cdi.controllers.uploading import requests
from cdi.controllers.uploading.seen import Seen
from cdi.controllers.working import claims
from cdi.controllers.working.report import Ended, Report
from cdi.controllers.working.runningcondition import failure_of, running_for, without_next_attempt
from cdi.kube import objects
from cdi.kube.objects import Object

Changes = Mapping[str, str | None]

_FAILED: Final = "the last upload failed: "


def updated(seen: Seen, found: Object, report: Report, more: Changes) -> plan.Plan:
    """What the pod tells goes into the claim; a failed upload is told once, when it is new."""
    changes = {**annotations_of(seen, found, report), **more}
    changed = claims.change(seen.claim, changes)
    failed = failed_upload(report)
    if not changed.steps or failed is None or _is_told(seen.claim, changes, failed):
        return changed
    message = failure_of(failed.termination)
    return changed.with_events(plan.warning(told_on(seen), reasons.UPLOAD_FAILED, message))


def told_on(seen: Seen) -> Object:
    """The object on which people look for events."""
    return seen.claim if seen.told_on is None else seen.told_on


def failed_upload(report: Report) -> Ended | None:
    """The newest upload, if it failed for a reason of its own; a server that is killed has none.

    A server that ended with a word of its failure is started again, and the next upload may be
    another one: nothing is final. One that asks for scratch space has not failed.
    """
    ended = report.ended
    if ended is None or ended.termination.exit_code == 0 or not ended.termination.reason:
        return None
    stopped = ended.termination.reason == reasons.CANCELLED
    return None if stopped or ended.termination.scratch_space_required else ended


def annotations_of(seen: Seen, found: Object, report: Report) -> dict[str, str | None]:
    """What a pod says, as annotations of its claim."""
    given = objects.annotations(seen.claim)
    changes = running_for(
        report,
        given.get(annotations.POD_RESTARTS),
        given.get(annotations.RUNNING_MESSAGE, ""),
    )
    if report.running and (failed := failed_upload(report)):
        # Otherwise nobody could read what was wrong with the disk once the server is back.
        changes[annotations.RUNNING_MESSAGE] = _FAILED + failure_of(failed.termination)
    if report.unschedulable:
        name = objects.name(found)
        changes |= {
            annotations.RUNNING: annotations.FALSE,
            annotations.RUNNING_REASON: reasons.UNSCHEDULABLE,
            annotations.RUNNING_MESSAGE: (
                f"no node takes the upload server's pod {name}; kubectl describe of it says why"
            ),
        }
    changes[annotations.UPLOAD_POD] = objects.name(found)
    changes[annotations.POD_READY] = annotations.TRUE if is_ready(found) else annotations.FALSE
    if requests.is_clone_target(seen.claim):
        changes[annotations.UPLOAD_CLIENT] = requests.client_of(seen.claim)
    if phase := _phase_to_show(found, report):
        changes[annotations.POD_PHASE] = phase
    return changes


def not_ready(seen: Seen) -> dict[str, str | None]:
    """What a claim without a server says that takes bytes."""
    known = metadata.has(seen.claim, annotations.POD_READY)
    return {annotations.POD_READY: annotations.FALSE} if known else {}


def is_ready(found: Object) -> bool:
    """Whether the server takes bytes, as its node has found out."""
    statuses = objects.get(found, "status", "containerStatuses", default=[])
    if objects.is_deleting(found) or not statuses:
        return False
    return all(each.get("ready") is True for each in statuses)


def _phase_to_show(found: Object, report: Report) -> str:
    """The pod's phase, for clients; `Succeeded` only if the volume is filled."""
    if report.complete:
        return phases.Pod.SUCCEEDED.value
    if report.phase == phases.Pod.SUCCEEDED or objects.is_deleting(found):
        return ""
    return report.phase


def _is_told(claim: Object, changes: Changes, failed: Ended) -> bool:
    """Whether a failure has been told: neither how often the server ended nor its words are new."""
    given = objects.annotations(claim)
    restarts = annotations.POD_RESTARTS
    told = without_next_attempt(given.get(annotations.RUNNING_MESSAGE, ""))
    same = told.removeprefix(_FAILED) == failure_of(failed.termination)
    was_down = given.get(annotations.RUNNING) == annotations.FALSE
    again = given.get(restarts) != changes.get(restarts)
    # The count follows a moment after the end itself, which has been told by then.
    return same and (not again or was_down)
