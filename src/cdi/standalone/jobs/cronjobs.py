"""
What a CronJob has to start now, and which of its finished Jobs go. Pure.

Of minutes that have passed unnoticed only the last one counts. CronJobs of one minute start one
after the other, each a little later, always the same: a machine has only so many processors.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cdi.api import schedules
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import CRON_JOBS, JOBS
from cdi.standalone.jobs import jobs

# As long as this the CronJobs of one minute take to start, if their schedule leaves them so long.
_SPREAD: Final = timedelta(seconds=20)
_SHARE: Final = 10  # of the pause between two turns
_MOST_MISSED: Final = 1000  # turns; who was away for longer starts from now


@dataclass(frozen=True, slots=True)
class Decision:
    """Jobs to create and to remove, the status, and when to look again, in seconds."""

    create: Object | None
    remove: tuple[Object, ...]
    status: Object
    again_in: float | None


def decide(cron_job: Object, own: Sequence[Object], now: datetime) -> Decision:
    """Choose what to do. `own` are the Jobs of this CronJob."""
    cron_job = _set_right(cron_job, now)
    spec, status = cron_job["spec"], dict(cron_job.get("status") or {})
    active = [each for each in own if not jobs.is_finished(each)]
    due, upcoming = _turns(cron_job, now)
    create = None
    if due is not None and not spec.get("suspend"):
        forbidden = active and spec.get("concurrencyPolicy") == "Forbid"
        if not forbidden:
            create = _job_for(cron_job, due)
        status["lastScheduleTime"] = _written(due)
    if succeeded := [_finished(each) for each in own if jobs.has_succeeded(each)]:
        status["lastSuccessfulTime"] = max(succeeded)
    again_in = None if upcoming is None else max(0.5, (upcoming - now).total_seconds())
    status["active"] = [_reference(each) for each in active]
    if not status["active"]:
        del status["active"]
    return Decision(create, _outlived(cron_job, own), status, again_in)


def _set_right(cron_job: Object, now: datetime) -> Object:
    """A turn that is still to come was taken by a clock that was ahead: turns begin anew now."""
    status = cron_job.get("status") or {}
    since = status.get("lastScheduleTime") or objects.metadata(cron_job)["creationTimestamp"]
    if _read(str(since)) <= now:
        return cron_job
    return {**cron_job, "status": {**status, "lastScheduleTime": _written(now)}}


def _turns(cron_job: Object, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The last turn that has not been taken yet, and when the next one starts."""
    schedule = str(cron_job["spec"]["schedule"])
    if schedules.problem_with(schedule):
        return None, None
    status = cron_job.get("status") or {}
    since = status.get("lastScheduleTime") or objects.metadata(cron_job)["creationTimestamp"]
    last, due = _read(str(since)), None
    delay = _delay(schedule, objects.uid(cron_job))
    for _ in range(_MOST_MISSED):
        upcoming = schedules.next_after(schedule, last)
        if upcoming is None:
            return due, None
        if upcoming + delay > now:
            return due, upcoming + delay
        last = due = upcoming
    return due, now + timedelta(seconds=1)


def _delay(schedule: str, uid: str) -> timedelta:
    first = schedules.next_after(schedule, datetime(2024, 1, 1, tzinfo=UTC))
    second = schedules.next_after(schedule, first) if first else None
    pause = second - first if first and second else _SPREAD
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4], "big")
    return min(_SPREAD, pause / _SHARE) * (number / 2**32)


def _job_for(cron_job: Object, due: datetime) -> Object:
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    meta = template.get("metadata") or {}
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": f"{objects.name(cron_job)[:52]}-{int(due.timestamp()) // 60}",
            "namespace": objects.namespace(cron_job),
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "ownerReferences": [owners.owner_reference({**_typed(cron_job)})],
        },
        "spec": template["spec"],
    }


def _outlived(cron_job: Object, own: Sequence[Object]) -> tuple[Object, ...]:
    """Finished Jobs beyond those that are kept."""
    spec = cron_job["spec"]
    found: list[Object] = []
    for succeeded, key, usual in (
        (True, "successfulJobsHistoryLimit", 3),
        (False, "failedJobsHistoryLimit", 1),
    ):
        ended = [each for each in own if jobs.is_finished(each)]
        ended = [each for each in ended if jobs.has_succeeded(each) is succeeded]
        ended.sort(key=_age, reverse=True)
        kept = spec.get(key)
        found += ended[usual if kept is None else int(kept) :]
    return tuple(each for each in found if not objects.is_deleting(each))


def _age(job: Object) -> tuple[str, int]:
    """What finished Jobs sort by; of those of one second, the one written last is the last."""
    return _finished(job), int(objects.metadata(job).get("resourceVersion") or 0)


def _finished(job: Object) -> str:
    status = job.get("status") or {}
    ended = status.get("completionTime") or jobs.finished_at(job)
    return str(ended or "")


def _reference(job: Object) -> Object:
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "namespace": objects.namespace(job),
        "name": objects.name(job),
        "uid": objects.uid(job),
    }


def _typed(cron_job: Object) -> Object:
    return {"apiVersion": CRON_JOBS.api_version, "kind": CRON_JOBS.kind, **cron_job}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
