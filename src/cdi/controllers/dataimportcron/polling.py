"""Which version of its image a cron should have: what pollers say, or what is found by looking."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from cdi.api import annotations, schedules
from cdi.controllers import plan
from cdi.controllers.dataimportcron import besides, marks, nodepull, pollers, template
from cdi.controllers.dataimportcron.draft import Draft, stamp
from cdi.controllers.dataimportcron.seen import Looked
from cdi.controllers.working.report import is_left_behind
from cdi.kube import objects
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Object
from cdi.kube.resource import CRON_JOBS, JOBS, PODS

LONGEST_FAILURE: Final = 1024  # characters of an annotation


def poll(draft: Draft) -> None:
    """Take over what was found, and see to it that somebody looks again."""
    cron, nodes_pull = draft.seen.cron, draft.seen.settings.nodes_pull
    if template.has_poller(cron, nodes_pull=nodes_pull):
        _take_answer(draft)
        if not draft.seen.polled_beside:
            _keep_poller(draft)
            return
        _drop_poller(draft)
        _have_asked(draft)
        return
    _drop_poller(draft)
    if not template.is_looked_at_here(cron, nodes_pull=nodes_pull):
        return
    if template.is_node_pull(cron) and not template.source_of(cron)[1].get("imageStream"):
        _have_pulled(draft)
    else:
        _take_look(draft, draft.seen.looked)


def is_due(cron: Object, now: datetime) -> bool:
    """Whether it is time to look at a source here."""
    return bool(template.is_looked_at_here(cron) and _has_come(cron, now))


def _has_come(cron: Object, now: datetime) -> bool:
    at = marks.parsed(objects.annotations(cron).get(annotations.NEXT_CRON_TIME, ""))
    # What is later than the turn after now was noted by a clock that was ahead.
    latest = schedules.next_after(str(cron["spec"]["schedule"]), now)
    return at <= now or (latest is not None and at > latest)


def _take_answer(draft: Draft) -> None:
    answer = pollers.latest_answer(draft.seen.pollers)
    last = marks.parsed(draft.annotation(annotations.LAST_CRON_TIME))
    # A last time that is still to come was noted by a clock that was ahead.
    if answer is None or answer.at < last <= draft.seen.now:
        return
    if answer.failure:
        _failed(draft, answer.failure)
    else:
        _found(draft, answer.version, stamp(answer.at))


def _found(draft: Draft, version: str, at: str) -> None:
    draft.annotations[annotations.LAST_CRON_TIME] = at
    draft.annotations[annotations.LAST_POLL_FAILURE] = None
    draft.annotations[annotations.DESIRED_DIGEST] = version


def _failed(draft: Draft, why: str) -> None:
    draft.annotations[annotations.LAST_POLL_FAILURE] = why[:LONGEST_FAILURE]


def _keep_poller(draft: Draft) -> None:
    seen, found = draft.seen, draft.seen.cron_job
    wanted = pollers.cron_job_for(seen)
    if found is None:
        draft.before.append(plan.Create(CRON_JOBS, wanted))
        return
    if objects.is_deleting(found):
        return
    if not pollers.covers(found["spec"], wanted["spec"]):
        after = merged(found, {"spec": wanted["spec"]})
        draft.before.append(plan.Change(CRON_JOBS, found, after))
    draft.before += [plan.Remove(JOBS, each) for each in pollers.left_behind(seen)]
    _say_what_is_missing(draft)
    heard = (annotations.LAST_CRON_TIME, annotations.LAST_POLL_FAILURE)
    if seen.first_job is None and not any(draft.annotation(key) for key in heard):
        draft.before.append(plan.Create(JOBS, pollers.first_job_for(seen, found)))


def _say_what_is_missing(draft: Draft) -> None:
    if why := besides.trouble_at_home(draft.seen):
        _failed(draft, why)
    elif besides.is_waiting_said(draft.annotation(annotations.LAST_POLL_FAILURE)):
        draft.annotations[annotations.LAST_POLL_FAILURE] = None


def _drop_poller(draft: Draft) -> None:
    if draft.seen.cron_job is not None:
        draft.before.append(plan.Remove(CRON_JOBS, draft.seen.cron_job))


def _have_asked(draft: Draft) -> None:
    """Have a poller beside the cron look when it is time; its answer has been taken already."""
    seen, pod = draft.seen, draft.seen.pulling
    if pod is not None and pollers.latest_answer((pod,)) is None:
        _attend(draft, pod)
        return  # it is at it, and heard of
    if pod is None and _has_come(seen.cron, seen.now):
        made = partial(besides.authorities_for, seen)
        draft.before.append(plan.Create(PODS, pollers.pod_beside(seen), made=made))
        return
    _look_next(draft)
    if pod is not None and not objects.is_deleting(pod):
        draft.after.append(plan.Remove(PODS, pod))


def _attend(draft: Draft, pod: Object) -> None:
    """Give a poller that has not started what is ours to give, and say what it waits for."""
    if not besides.is_waiting(pod) or objects.is_deleting(pod):
        return
    draft.before += besides.authorities_for(draft.seen, pod).steps
    if why := besides.trouble(draft.seen):
        _failed(draft, why)
    draft.look_again(besides.LOOK_AGAIN)


def _have_pulled(draft: Draft) -> None:
    """Let a node pull the image when it is time, and take over which one that was."""
    seen, pod = draft.seen, draft.seen.pulling
    looked = None if pod is None else nodepull.found_by(pod)
    if pod is not None and looked is None:
        if is_left_behind(pod, nodepull.INIT_CONTAINER, seen.settings.worker_image):
            draft.before.append(plan.Remove(PODS, pod))
        return  # the node is at it, and heard of
    if pod is None and is_due(seen.cron, seen.now):
        draft.before.append(plan.Create(PODS, nodepull.pod_for(seen)))
        return
    _take_look(draft, looked)
    if pod is not None and not objects.is_deleting(pod):
        draft.after.append(plan.Remove(PODS, pod))


def _take_look(draft: Draft, looked: Looked | None) -> None:
    seen = draft.seen
    if looked is not None and looked.failure:
        _failed(draft, looked.failure)
    elif looked is not None:
        _found(draft, looked.version, stamp(seen.now))
        if looked.reference:
            draft.annotations[annotations.IMAGE_STREAM_DOCKER_REF] = looked.reference
    _look_next(draft)


def _look_next(draft: Draft) -> None:
    seen = draft.seen
    at = schedules.next_after(str(seen.spec["schedule"]), seen.now)
    if at is None:
        return
    draft.annotations[annotations.NEXT_CRON_TIME] = stamp(at)
    draft.look_again(max(timedelta(seconds=1), at - seen.now).total_seconds())
