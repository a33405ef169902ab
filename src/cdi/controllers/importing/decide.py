"""
What to do next about one importing claim.

    claim          pod                what happens
    not ours, done -                  nothing
    waiting        none               a pod is created, unless somebody else uses the claim
    any            runs               its state goes into the claim's annotations
    any            has no image       replaced, if ours has another: an older version made it
    any            asks for scratch   it is replaced by one that has scratch space
    any            killed for memory  replaced once by one that goes around the page cache
    any            evicted, lost      replaced after a pause
    any            may be mended      it is started again until the patience is over, see `retries`
    any            failed for good    the claim says so, the pod goes, and none follows
    any            says it is done    the claim says so, the pod goes unless it is to be kept
    failed         any                the pod goes; what it says on its way out is not heard

Annotations are written before a pod is deleted: what it told is never lost. That a claim needs
scratch space, or direct I/O, is remembered until the import has succeeded.

What each kind of pod proves about its volume:

    running, restarted        nothing yet; the newest end of its importer counts once it is over
    terminating               what its importer said, if it has ended; its phase proves nothing
    evicted, lost, killed     nothing; another pod continues
    over without a word       nothing, although its phase is Succeeded; another pod continues
    replaced, force-deleted   nothing; it is not looked at any more
    foreign                   nothing: it is not controlled by this claim, by its UID
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from cdi.api import annotations, failures, features, finalizers, names, phases, reasons
from cdi.controllers import boundcondition, metadata, plan
from cdi.controllers.importing import checkpoints, pod, requests, retries
from cdi.controllers.importing.claimupdate import (
    annotations_of,
    change,
    completed,
    updated,
    with_finalizers,
)
from cdi.controllers.importing.prerequisites import (
    LOOK_AGAIN,
    missing,
    prerequisites,
)
from cdi.controllers.importing.seen import Seen
from cdi.controllers.working import scratchclaim
from cdi.controllers.working.report import (
    Ended,
    Report,
    is_left_behind,
    is_over,
    lost_at,
    report_of,
)
from cdi.controllers.working.runningcondition import (
    at_moment,
    failure_of,
    simplified,
    with_next_attempt,
)
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS

REPLACE_AFTER: Final = timedelta(seconds=10)  # a pod that is evicted again and again stays bounded
AWAITING_VDDK_MESSAGE: Final = (
    f"waiting for an image with the VDDK library: name it in ConfigMap {names.VDDK_CONFIG_MAP}, "
    f"key vddk-init-image, or in annotation {annotations.VDDK_INIT_IMAGE}"
)

_LONGEST_LIST: Final = 1000  # characters; a claim may be used by hundreds of pods

# What a claim forgets when it may be tried again although it had failed for good.
_ANOTHER_CHANCE: Final[Mapping[str, str | None]] = dict.fromkeys(
    (
        annotations.FATAL_ERROR,
        annotations.POD_PHASE,
        annotations.FAILING_SINCE,
        annotations.FAILED_WITH,
    )
)


class TargetInUse(plan.NotYet):
    """Another pod uses the claim."""


class PodIsForeign(plan.NotYet):
    """A pod of the importer's name belongs to somebody else."""


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    claim = seen.claim
    if not requests.asks_for_import(claim):
        return plan.NOTHING
    if objects.is_deleting(claim):
        return _tidied_up(seen)
    bound = boundcondition.bound_annotations(claim, seen.events)
    if not is_handled(claim, seen.gates):
        return change(seen, bound).then(_left_over_pod(seen))
    if seen.pod is None:
        return _without_pod(seen, bound)
    if not pod.is_of(seen.pod, claim):
        return _foreign_pod(seen, seen.pod, bound)
    return _with_pod(seen, seen.pod, bound)


def is_handled(claim: Object, gates: Sequence[str]) -> bool:
    """Whether there is, or may be, something to import into a claim now."""
    if metadata.has(claim, annotations.EXTERNAL_POPULATION):
        return False
    if is_complete(claim) and not checkpoints.in_progress(claim):
        return False
    honoured = features.enabled(features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER, gates)
    at_once = not honoured or metadata.has(claim, annotations.BIND_IMMEDIATE)
    return at_once or objects.get(claim, "status", "phase") == phases.Claim.BOUND


def is_complete(claim: Object) -> bool:
    return objects.annotations(claim).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED


def _left_over_pod(seen: Seen) -> plan.Plan:
    """The pod of a finished import that was recorded, but not deleted, before a crash."""
    found, claim = seen.pod, seen.claim
    kept = metadata.is_true(claim, annotations.RETAIN_AFTER_COMPLETION)
    if found is None or kept or not is_complete(claim):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PODS, found),)) if pod.is_of(found, claim) else plan.NOTHING


# Without a pod.


def _without_pod(seen: Seen, bound: dict[str, str | None]) -> plan.Plan:
    claim = seen.claim
    failed = metadata.is_true(claim, annotations.FATAL_ERROR)
    if failed and retries.has_changed(claim, seen.inputs):
        return change(seen, {**bound, **_ANOTHER_CHANCE})
    if is_complete(claim) or failed:
        return change(seen, bound)
    if seen.users:
        return _in_use(seen, bound)
    bound = bound | _no_longer_in_use(claim)
    if scratchclaim.is_left_over(seen.scratch, owner=None) and _needs_scratch(claim):
        # The scratch claim of the last pod is on its way out, and would take the new pod with it.
        return plan.Plan(again_in=LOOK_AGAIN)
    if requests.source_of(claim) == requests.VDDK and not seen.context.vddk_image:
        return _awaiting_vddk(seen)
    return _started(seen, bound)


def _started(seen: Seen, bound: dict[str, str | None]) -> plan.Plan:
    claim = seen.claim
    try:
        wanted = pod.pod_for(claim, seen.context, with_scratch=_needs_scratch(claim))
    except pod.BadArguments as error:
        refused = _refused(seen, reasons.ERR_STARTING_POD, str(error))
        return refused.then(plan.Plan(failure=plan.NotYet(str(error))))
    except pod.CannotImport as error:
        return _refused(seen, reasons.ERR_STARTING_POD, str(error), fatal=True)
    create = plan.Create(PODS, wanted, refused=lambda error: _pod_refused(seen, wanted, error))
    # A second importer must never write a disk that the first one has finished.
    sure = plan.Confirm(PERSISTENT_VOLUME_CLAIMS, claim, unchanged=True)
    started = plan.Plan((sure, create))
    if pod.is_image_stream(claim) and not metadata.is_true(
        claim, annotations.RETAIN_AFTER_COMPLETION
    ):
        kept = [*objects.finalizers(claim)]
        if finalizers.IMPORT_IMAGE_STREAM not in kept:
            held = with_finalizers(claim, [*kept, finalizers.IMPORT_IMAGE_STREAM])
            started = plan.Plan((sure, plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, held), create))
    return started.then(change(seen, bound)) if bound else started


def _pod_refused(seen: Seen, wanted: Object, error: ApiError) -> plan.Plan:
    over = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if over else reasons.ERR_STARTING_POD
    more = "; a quota forbids it, and it is tried again" if over else "; it is tried again"
    name = objects.name(wanted)
    message = f"{reasons.STARTING_POD_MESSAGE} '{name}': {reasons.SEE_LOGS_MESSAGE}{more}"
    return _refused(seen, reason, message)


def _refused(seen: Seen, reason: str, message: str, *, fatal: bool = False) -> plan.Plan:
    changes: dict[str, str | None] = {
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: message,
        annotations.RUNNING_REASON: reason,
        annotations.POD_PHASE: phases.Pod.FAILED.value,
    }
    if fatal:
        changes[annotations.FATAL_ERROR] = annotations.TRUE
    noted = change(seen, changes)
    if not noted.steps:
        return noted  # it has been told, and stands there
    return noted.with_events(plan.warning(seen.claim, reason, message))


def _foreign_pod(seen: Seen, found: Object, bound: dict[str, str | None]) -> plan.Plan:
    claim, name = objects.name(seen.claim), objects.name(found)
    message = f"pod {name} has the importer's name and does not belong to PVC {claim}; delete it"
    waits = plan.Plan(failure=PodIsForeign(message))
    if owners.controller_name(found, PERSISTENT_VOLUME_CLAIMS.kind, "") == claim:
        return waits  # of a claim of this name that has gone: it goes by itself
    return _named(seen, bound, reasons.ERR_STARTING_POD, message, [message]).then(waits)


def _named(
    seen: Seen, bound: dict[str, str | None], reason: str, message: str, told: Sequence[str]
) -> plan.Plan:
    """What an import waits for, on its claim for as long as it does, and told when it is new."""
    changes: dict[str, str | None] = {
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_REASON: reason,
        annotations.RUNNING_MESSAGE: message,
    }
    named = change(seen, bound | changes)
    if not change(seen, changes).steps:
        return named
    return named.with_events(*(plan.warning(seen.claim, reason, each) for each in told))


def _in_use(seen: Seen, bound: dict[str, str | None]) -> plan.Plan:
    """The claim names who is in the way, and goes on saying so; events tell it when it is new."""
    claim = objects.name(seen.claim)
    users = sorted(objects.name(user) for user in seen.users)
    told = [f"pod {user} uses PVC {claim}; the import waits until it has ended" for user in users]
    waits = plan.Plan(failure=TargetInUse(f"PVC {claim} is used by {', '.join(users)}"))
    message = "; ".join(told)[:_LONGEST_LIST]
    return _named(seen, bound, reasons.IMPORT_TARGET_IN_USE, message, told).then(waits)


def _no_longer_in_use(claim: Object) -> dict[str, str | None]:
    if objects.annotations(claim).get(annotations.RUNNING_REASON) != reasons.IMPORT_TARGET_IN_USE:
        return {}
    return dict.fromkeys(
        (annotations.RUNNING, annotations.RUNNING_REASON, annotations.RUNNING_MESSAGE)
    )


def _awaiting_vddk(seen: Seen) -> plan.Plan:
    changes: dict[str, str | None] = {
        annotations.BOUND: annotations.FALSE,
        annotations.BOUND_MESSAGE: AWAITING_VDDK_MESSAGE,
        annotations.BOUND_REASON: reasons.AWAITING_VDDK,
    }
    failure = plan.NotYet(AWAITING_VDDK_MESSAGE)
    return change(seen, changes).then(plan.Plan(failure=failure))


# With a pod.


def _tidied_up(seen: Seen) -> plan.Plan:
    """The claim goes: so do its pods, and then what held the claim for their sake.

    Kubernetes keeps a claim as long as a pod names it, one that has ended and was kept as well.
    """
    claim = seen.claim
    own = [each for each in (seen.pod, *seen.kept) if each is not None and pod.is_of(each, claim)]
    steps: list[plan.Step] = [
        plan.Remove(PODS, each) for each in own if not objects.is_deleting(each)
    ]
    kept = [each for each in objects.finalizers(claim) if each != finalizers.IMPORT_IMAGE_STREAM]
    if len(kept) < len(objects.finalizers(claim)):
        released = with_finalizers(claim, kept)
        steps.append(plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, released))
    return plan.Plan(tuple(steps))


def _with_pod(seen: Seen, found: Object, bound: dict[str, str | None]) -> plan.Plan:
    report = report_of(found, pod.CONTAINER)
    if metadata.is_true(seen.claim, annotations.FATAL_ERROR):
        return _given_up(seen, found, bound)
    if report.fatal is not None and retries.may_be_mended(report):
        return _tried_again(seen, found, report, report.fatal, bound)
    if report.fatal is not None or _asks_in_vain(report):
        return _failed(seen, found, report, bound)
    if report.complete:
        return _completed(seen, found, report, bound)
    if objects.is_deleting(found):
        return updated(seen, found, report, bound)  # the next pod has to wait for its name
    if is_left_behind(found, pod.CONTAINER, seen.context.settings.worker_image):
        return updated(seen, found, report, bound).with_steps(plan.Remove(PODS, found))
    if report.wants_scratch or (report.out_of_memory and not report.direct_io):
        return _replaced(seen, found, report, bound)
    if report.lost:
        return _lost(seen, found, report, bound)
    if lacks := missing(seen, found):
        bound = {
            **bound,
            annotations.RUNNING: annotations.FALSE,
            annotations.RUNNING_MESSAGE: lacks,
            annotations.RUNNING_REASON: report.waiting_reason or reasons.ERR_RESOURCE_MISSING,
        }
    return updated(seen, found, report, bound).then(prerequisites(seen, found))


def _given_up(seen: Seen, found: Object, bound: dict[str, str | None]) -> plan.Plan:
    """The claim has said why it failed; the pod's own end would only write over it."""
    return change(seen, bound).with_steps(plan.Remove(PODS, found))


def _tried_again(
    seen: Seen, found: Object, report: Report, ended: Ended, bound: dict[str, str | None]
) -> plan.Plan:
    """The pod stays, and the kubelet starts its importer again, while there is patience."""
    claim = seen.claim
    if retries.has_changed(claim, seen.inputs):
        another = dict.fromkeys((annotations.FAILING_SINCE, annotations.FAILED_WITH))
        return change(seen, another | bound).with_steps(plan.Remove(PODS, found))
    since = retries.failing_since(claim, ended, seen.now)
    until = since + retries.patience_of(claim, seen.context.config)
    if seen.now >= until:
        return _failed(seen, found, report, bound)
    remembered: dict[str, str | None] = {
        annotations.FAILING_SINCE: at_moment(since),
        annotations.FAILED_WITH: seen.inputs.with_size(claim),
    }
    if objects.is_deleting(found):
        return updated(seen, found, report, remembered | bound)
    if report.lost:
        return _lost(seen, found, report, remembered | bound)
    waits = min(retries.LOOK_AGAIN, (until - seen.now).total_seconds())
    return updated(seen, found, report, remembered | bound).then(plan.Plan(again_in=waits))


def _asks_in_vain(report: Report) -> bool:
    return report.wants_scratch and report.has_scratch


def _failed(seen: Seen, found: Object, report: Report, bound: dict[str, str | None]) -> plan.Plan:
    changes = annotations_of(seen, found, report) | bound
    fatal = report.fatal
    if fatal is not None:
        reason = failures.word_for(fatal.termination.reason)
        message = failure_of(fatal.termination)
    else:
        reason = reasons.ERROR
        message = "the importer asked for scratch space although it had it"
    changes |= {
        annotations.POD_PHASE: phases.Pod.FAILED.value,
        annotations.FATAL_ERROR: annotations.TRUE,
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_REASON: reason,
        annotations.RUNNING_MESSAGE: message,
    }
    if fatal is not None:
        mendable = retries.may_be_mended(report)
        inputs = seen.inputs.with_size(seen.claim) if mendable else retries.size_of(seen.claim)
        changes[annotations.FAILED_WITH] = inputs
    done = change(seen, changes).with_steps(plan.Remove(PODS, found))
    return done.with_events(plan.warning(seen.claim, reasons.ERR_IMPORT_FAILED, message))


def _completed(
    seen: Seen, found: Object, report: Report, bound: dict[str, str | None]
) -> plan.Plan:
    claim, done = seen.claim, completed(seen, found, report, bound)
    if not metadata.is_true(claim, annotations.RETAIN_AFTER_COMPLETION):
        done = done.with_steps(plan.Remove(PODS, found))
    if is_complete(claim):
        return done
    message = f"import into PVC {objects.name(claim)} succeeded"
    return done.with_events(plan.normal(claim, reasons.IMPORT_SUCCEEDED, message))


def _replaced(seen: Seen, found: Object, report: Report, bound: dict[str, str | None]) -> plan.Plan:
    """Remember what the next pod needs, then make room for it. The phase stays as it is."""
    changes = annotations_of(seen, found, report) | bound
    changes.pop(annotations.POD_PHASE, None)
    if report.wants_scratch:
        changes[annotations.REQUIRES_SCRATCH] = annotations.TRUE
    else:
        changes[annotations.REQUIRES_DIRECT_IO] = annotations.TRUE
    return change(seen, changes).with_steps(plan.Remove(PODS, found))


def _lost(seen: Seen, found: Object, report: Report, bound: dict[str, str | None]) -> plan.Plan:
    """A pod that was evicted, or whose node is gone, makes way for another one after a pause."""
    due = lost_at(found) + REPLACE_AFTER
    if is_over(REPLACE_AFTER, due, seen.now):
        return updated(seen, found, report, bound).with_steps(plan.Remove(PODS, found))
    message = with_next_attempt(simplified(report.lost), due)
    waiting = updated(seen, found, report, bound | {annotations.RUNNING_MESSAGE: message})
    return waiting.then(plan.Plan(again_in=(due - seen.now).total_seconds()))


def _needs_scratch(claim: Object) -> bool:
    """Whether the next pod is given scratch space: only an importer that asked for it gets it."""
    return metadata.is_true(claim, annotations.REQUIRES_SCRATCH)
