"""
What to do next about one claim that asks for an upload server.

    claim            pod                what happens
    over, cancelled  any                pod and Service go, unless the pod is to be kept
    waiting          none               pod, certificates and Service, unless another pod uses it
    any              runs               its state goes into the claim's annotations
    any              has no image       replaced, if ours has another: an older version made it
    any              its time is over   it makes way for one with new certificates
    any              asks for scratch   it is replaced by one that has scratch space
    any              evicted, lost      replaced after a pause
    any              kept back          replaced, where the kubelet would pause for long
    any              says it is done    the claim says so; pod and Service go

Nothing is final: whoever has sent a broken disk may send another one. Annotations are written
before a pod is deleted, and `ready` is taken back with them, so that nobody is sent to a server
that goes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cdi.api import annotations, features, phases, reasons
from cdi.controllers import boundcondition, metadata, plan
from cdi.controllers.uploading import clonetarget, pod, prerequisites, requests
from cdi.controllers.uploading.claimupdate import (
    Changes,
    annotations_of,
    not_ready,
    told_on,
    updated,
)
from cdi.controllers.uploading.seen import Seen
from cdi.controllers.working import claims, disksize, scratchclaim
from cdi.controllers.working.report import (
    Report,
    is_left_behind,
    is_over,
    lost_at,
    parse_moment,
    report_of,
)
from cdi.controllers.working.runningcondition import simplified, with_next_attempt
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES

REPLACE_AFTER: Final = timedelta(seconds=10)  # a pod that is evicted again and again stays bounded
_HASTY: Final = (
    "the upload server found its time over as soon as it had begun: the clock of its node is ahead"
)
LONGEST_PAUSE: Final = timedelta(seconds=10)  # people wait with their upload
SERVED: Final = timedelta(seconds=2)  # so long lives a server that has come up
_LONGEST_LIST: Final = 1000  # characters; a claim may be used by hundreds of pods


class TargetInUse(plan.NotYet):
    """Another pod uses the claim."""


class PodIsForeign(plan.NotYet):
    """A pod of the server's name belongs to somebody else."""


class Ambiguous(plan.NotYet):
    """The claim asks for an upload and for a clone."""


class SourceMissing(plan.NotYet):
    """The source of a clone is not there, or is of another kind."""


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    claim = seen.claim
    if requests.asks_for_upload(claim) and requests.is_clone_target(claim):
        return _ambiguous(seen)
    bound: Changes = {}
    if requests.asks_for_server(claim):
        bound = boundcondition.bound_annotations(claim, seen.events)
    if not is_handled(claim, seen.gates):
        return _cleaned_up(seen, bound)
    if seen.pod is None:
        return _without_pod(seen, bound)
    if not pod.is_of(seen.pod, claim):
        return _foreign_pod(seen, seen.pod, bound)
    return _with_pod(seen, seen.pod, bound)


def is_handled(claim: Object, gates: Sequence[str]) -> bool:
    """Whether there is, or may be, something to send into a claim now."""
    if not requests.asks_for_server(claim) or is_complete(claim) or objects.is_deleting(claim):
        return False
    honoured = features.enabled(features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER, gates)
    at_once = not honoured or metadata.has(claim, annotations.BIND_IMMEDIATE)
    return at_once or objects.get(claim, "status", "phase") == phases.Claim.BOUND


def is_complete(claim: Object) -> bool:
    return objects.annotations(claim).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED


# Nothing to do.


_OF_A_SERVER: Final = (
    annotations.POD_PHASE,
    annotations.RUNNING,
    annotations.RUNNING_MESSAGE,
    annotations.RUNNING_REASON,
)


def _cleaned_up(seen: Seen, bound: Changes) -> plan.Plan:
    """What a server that is over, or was cancelled, has left."""
    claim, steps = seen.claim, list[plan.Step]()
    if seen.service is not None and pod.is_of(seen.service, claim):
        steps.append(plan.Remove(SERVICES, seen.service))
    retained = metadata.is_true(claim, annotations.RETAIN_AFTER_COMPLETION)
    kept = retained and not objects.is_deleting(claim)
    if seen.pod is not None and pod.is_of(seen.pod, claim) and not kept:
        steps.append(plan.Remove(PODS, seen.pod))
    said = {**bound, **not_ready(seen)}
    if not requests.asks_for_server(claim):
        said |= dict.fromkeys(_OF_A_SERVER)  # cancelled
    return claims.change(claim, said).with_steps(*steps)


def _ambiguous(seen: Seen) -> plan.Plan:
    name = objects.name(seen.claim)
    message = (
        f"PVC {name} asks for an upload ({annotations.UPLOAD_TARGET}) and for a clone "
        f"({annotations.CLONE_REQUEST}); remove one of the annotations"
    )
    waits = plan.Plan(failure=Ambiguous(message))
    return _named(seen, {}, reasons.ERR_INCOMPATIBLE_PVC, message, [message]).then(waits)


# Without a pod.


def _without_pod(seen: Seen, bound: Changes) -> plan.Plan:
    claim = seen.claim
    bound = {**bound, **not_ready(seen)}
    if requests.is_clone_target(claim) and (ended := _misfit(seen, bound)):
        return ended
    if seen.users:
        return _in_use(seen, bound)
    if scratchclaim.is_left_over(seen.scratch, owner=None) and _needs_scratch(claim):
        # The scratch claim of the last pod is on its way out, and would take the new pod with it.
        return plan.Plan(again_in=prerequisites.LOOK_AGAIN)
    if why := seen.issuer.why_not():
        waits = plan.Plan(failure=plan.NotYet(why))
        return _named(seen, bound, reasons.ERR_RESOURCE_MISSING, why, [why]).then(waits)
    return _started(seen, {**bound, **_no_longer_waiting(claim)})


def _started(seen: Seen, bound: Changes) -> plan.Plan:
    claim = seen.claim
    wanted = pod.pod_for(
        claim, seen.context, seen.issuer.deadline(seen.now), with_scratch=_needs_scratch(claim)
    )
    # A second server must never take bytes into a disk that the first one has finished.
    sure = plan.Confirm(PERSISTENT_VOLUME_CLAIMS, claim, unchanged=True)
    create = plan.Create(
        PODS,
        wanted,
        refused=lambda error: _pod_refused(seen, wanted, error),
        made=lambda made: prerequisites.secret(seen, made),
    )
    said = {**bound, annotations.UPLOAD_POD: objects.name(wanted)}
    if requests.is_clone_target(claim):
        said[annotations.UPLOAD_CLIENT] = requests.client_of(claim)
    started = plan.Plan((sure, create)).then(prerequisites.service(seen))
    return started.then(claims.change(claim, said))


def _pod_refused(seen: Seen, wanted: Object, error: ApiError) -> plan.Plan:
    over = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if over else reasons.ERR_STARTING_POD
    more = "; a quota forbids it, and it is tried again" if over else "; it is tried again"
    name = objects.name(wanted)
    message = f"{reasons.STARTING_POD_MESSAGE} '{name}': {reasons.SEE_LOGS_MESSAGE}{more}"
    failed: Changes = {annotations.POD_PHASE: phases.Pod.FAILED.value}
    return _named(seen, failed, reason, message, [message])


def _named(seen: Seen, bound: Changes, reason: str, message: str, told: Sequence[str]) -> plan.Plan:
    """What an upload waits for, on its claim for as long as it does, and told when it is new."""
    changes: Changes = {
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_REASON: reason,
        annotations.RUNNING_MESSAGE: message,
    }
    named = claims.change(seen.claim, {**bound, **changes})
    if not claims.change(seen.claim, changes).steps:
        return named
    about = told_on(seen)
    return named.with_events(*(plan.warning(about, reason, each) for each in told))


def _misfit(seen: Seen, bound: Changes) -> plan.Plan | None:
    found = clonetarget.misfit_of(seen.source, seen.claim, seen.context.config, seen.classes)
    if found is None:
        return None
    named = _named(seen, bound, reasons.ERR_INCOMPATIBLE_PVC, found.message, [found.message])
    return named.then(plan.Plan(failure=SourceMissing(found.message) if found.waits else None))


def _in_use(seen: Seen, bound: Changes) -> plan.Plan:
    """The claim names who is in the way, and goes on saying so; events tell it when it is new."""
    claim = objects.name(seen.claim)
    users = sorted(objects.name(user) for user in seen.users)
    told = [f"pod {user} uses PVC {claim}; the upload waits until it has ended" for user in users]
    waits = plan.Plan(failure=TargetInUse(f"PVC {claim} is used by {', '.join(users)}"))
    message = "; ".join(told)[:_LONGEST_LIST]
    return _named(seen, bound, reasons.UPLOAD_TARGET_IN_USE, message, told).then(waits)


_WAITED_FOR: Final = (
    reasons.UPLOAD_TARGET_IN_USE,
    reasons.ERR_RESOURCE_MISSING,
    reasons.ERR_INCOMPATIBLE_PVC,
    reasons.ERR_STARTING_POD,
    reasons.ERR_EXCEEDED_QUOTA,
)


def _no_longer_waiting(claim: Object) -> Changes:
    if objects.annotations(claim).get(annotations.RUNNING_REASON) not in _WAITED_FOR:
        return {}
    return dict.fromkeys(
        (annotations.RUNNING, annotations.RUNNING_REASON, annotations.RUNNING_MESSAGE)
    )


def _foreign_pod(seen: Seen, found: Object, bound: Changes) -> plan.Plan:
    claim, name = objects.name(seen.claim), objects.name(found)
    message = f"pod {name} has the upload server's name and is not that of PVC {claim}; delete it"
    waits = plan.Plan(failure=PodIsForeign(message))
    if owners.controller_name(found, PERSISTENT_VOLUME_CLAIMS.kind, "") == claim:
        return waits  # of a claim of this name that has gone: it goes by itself
    return _named(seen, bound, reasons.ERR_STARTING_POD, message, [message]).then(waits)


# With a pod.


def _with_pod(seen: Seen, found: Object, bound: Changes) -> plan.Plan:
    report = report_of(found, pod.CONTAINER)
    if report.complete:
        return _completed(seen, found, report, bound)
    if objects.is_deleting(found):
        return updated(seen, found, report, bound)  # the next pod has to wait for its name
    if report.deadline_passed:
        return _relieved(seen, found, report, bound)
    if is_left_behind(found, pod.CONTAINER, seen.context.settings.server_image):
        return _replaced(seen, found, report, bound)
    if report.wants_scratch and not report.has_scratch:
        remembered = {annotations.REQUIRES_SCRATCH: annotations.TRUE}
        return _replaced(seen, found, report, {**bound, **remembered})
    if why := _why_lost(report):
        return _lost(seen, found, report, why, bound)
    if _is_kept_back(seen, report):
        return _replaced(seen, found, report, bound)
    needs = prerequisites.prerequisites(seen, found, report)
    return updated(seen, found, report, bound).then(needs)


def _completed(seen: Seen, found: Object, report: Report, bound: Changes) -> plan.Plan:
    claim = seen.claim
    changes = {
        **annotations_of(seen, found, report),
        **bound,
        **scratchclaim.created(claim),
        annotations.POD_READY: annotations.FALSE,
    }
    if metadata.is_true(claim, annotations.REQUIRES_SCRATCH):
        changes[annotations.REQUIRES_SCRATCH] = annotations.FALSE
    ended = report.ended
    if ended is not None and ended.termination.preallocation_applied:
        changes[annotations.PREALLOCATION] = annotations.TRUE
    if ended is not None:
        changes[annotations.UPLOAD_SESSION] = ended.termination.upload_session or None
        changes |= disksize.noted(claim, ended.termination)
    done = claims.change(claim, changes)
    if seen.service is not None and pod.is_of(seen.service, claim):
        done = done.with_steps(plan.Remove(SERVICES, seen.service))
    if not metadata.is_true(claim, annotations.RETAIN_AFTER_COMPLETION):
        done = done.with_steps(plan.Remove(PODS, found))
    if requests.is_clone_target(claim):
        return done  # the clone's own controller tells of it
    message = f"upload into PVC {objects.name(claim)} succeeded"
    return done.with_events(plan.normal(claim, reasons.UPLOAD_SUCCEEDED, message))


def _relieved(seen: Seen, found: Object, report: Report, bound: Changes) -> plan.Plan:
    """A pod whose time is over makes way; nothing was sent, or nothing came of it."""
    begun = parse_moment(objects.metadata(found).get("creationTimestamp"))
    if begun is not None and not is_over(REPLACE_AFTER, begun + REPLACE_AFTER, seen.now):
        return _replaced_at(seen, found, report, _HASTY, begun + REPLACE_AFTER, bound)
    changes = {
        **bound,
        annotations.POD_PHASE: phases.Pod.EMPTY.value,
        annotations.POD_READY: annotations.FALSE,
    }
    return claims.change(seen.claim, changes).with_steps(plan.Remove(PODS, found))


def _replaced(seen: Seen, found: Object, report: Report, bound: Changes) -> plan.Plan:
    """Remember what the next pod needs, then make room for it. The phase stays as it is."""
    changes = {**bound, annotations.POD_READY: annotations.FALSE}
    # The kubelet starts it once more; a signal in the first moments of that start is lost.
    removed = plan.Remove(PODS, found, grace=1)
    return updated(seen, found, report, changes).with_steps(removed)


def _why_lost(report: Report) -> str:
    """Why a pod will never end well; empty if it may."""
    if report.lost:
        return report.lost
    if report.wants_scratch and report.now_ended is not None:
        return "the upload server asked for scratch space although it had it"
    if report.phase == phases.Pod.SUCCEEDED:
        ended = report.ended
        return (ended.termination.message if ended else "") or "the upload server ended"
    return ""


def _lost(seen: Seen, found: Object, report: Report, why: str, bound: Changes) -> plan.Plan:
    """A pod that was evicted, or whose node is gone, makes way for another one after a pause."""
    return _replaced_at(seen, found, report, why, lost_at(found) + REPLACE_AFTER, bound)


def _replaced_at(
    seen: Seen, found: Object, report: Report, why: str, due: datetime, bound: Changes
) -> plan.Plan:
    message = with_next_attempt(simplified(why), due)
    said = {
        **bound,
        annotations.POD_READY: annotations.FALSE,
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: message,
        annotations.RUNNING_REASON: reasons.ERROR,
    }
    waiting = updated(seen, found, report, said)
    if is_over(REPLACE_AFTER, due, seen.now):
        return waiting.with_steps(plan.Remove(PODS, found))
    return waiting.then(plan.Plan(again_in=(due - seen.now).total_seconds()))


def _is_kept_back(seen: Seen, report: Report) -> bool:
    """Whether the kubelet pauses before it starts a server again that could take bytes now.

    Its pauses are meant for what fails each time. A server that had come up and was killed is
    needed at once; for one that does not come up, a new pod every now and then has to do.
    """
    ended = report.last_ended
    if not report.in_crash_loop or ended is None:
        return False
    if ended.began is not None and ended.at is not None and ended.at - ended.began >= SERVED:
        return True
    due = report.next_attempt
    return due is not None and due - seen.now > LONGEST_PAUSE


def _needs_scratch(claim: Object) -> bool:
    """Whether the next pod is given scratch space: only after one has asked for it."""
    return metadata.is_true(claim, annotations.REQUIRES_SCRATCH)
