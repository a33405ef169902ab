"""
What a Job has to do next. Pure.

Pods have the Job's name and a number, so that one that was created unnoticed is not created again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import JOBS, PODS

_BACKOFF_LIMIT: Final = 6
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=6)


@dataclass(frozen=True, slots=True)
class Decision:
    """A pod to create, the status, whether the Job goes, when to look again in seconds."""

    create: Object | None
    status: Object
    remove: bool = False
    again_in: float | None = None


def decide(job: Object, pods: Sequence[Object], now: datetime) -> Decision:
    """Choose what to do. `pods` are those of this Job."""
    status = dict(job.get("status") or {})
    if is_finished(job):
        return _finished(job, status, now)
    status.setdefault("startTime", _written(now))
    by_phase = [objects.get(each, "status", "phase", default="Pending") for each in pods]
    succeeded, failed = by_phase.count("Succeeded"), by_phase.count("Failed")
    active = len(pods) - succeeded - failed
    status |= {"active": active, "succeeded": succeeded, "failed": failed}
    if succeeded:
        status |= {"completionTime": _written(now), "active": 0}
        return _ended(status, "Complete", "CompletionsReached", "a pod has succeeded", now)
    limit = job["spec"].get("backoffLimit")
    if failed > (_BACKOFF_LIMIT if limit is None else int(limit)):
        message = "Job has reached the specified backoff limit"
        return _ended(status, "Failed", "BackoffLimitExceeded", message, now)
    if active or job["spec"].get("suspend"):
        return Decision(None, status)
    wait = _pause(pods, failed, now)
    if wait > 0:
        return Decision(None, status, again_in=wait)
    return Decision(_pod_for(job, failed), status | {"active": 1})


def is_finished(job: Object) -> bool:
    return bool(finished_at(job))


def has_succeeded(job: Object) -> bool:
    return bool(_condition(job, "Complete"))


def finished_at(job: Object) -> str:
    """When a Job ended, well or not; empty while it has not."""
    found = _condition(job, "Complete") or _condition(job, "Failed")
    return str((found or {}).get("lastTransitionTime") or "")


def _condition(job: Object, kind: str) -> Object | None:
    conditions: list[Object] = objects.get(job, "status", "conditions", default=[])
    return next(
        (each for each in conditions if each["type"] == kind and each["status"] == "True"), None
    )


def _finished(job: Object, status: Object, now: datetime) -> Decision:
    kept = job["spec"].get("ttlSecondsAfterFinished")
    if kept is None:
        return Decision(None, status)
    left = _read(finished_at(job)) + timedelta(seconds=int(kept)) - now
    if left <= timedelta():
        return Decision(None, status, remove=True)
    return Decision(None, status, again_in=left.total_seconds())


def _ended(status: Object, kind: str, reason: str, message: str, now: datetime) -> Decision:
    at = _written(now)
    ended = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": at,
        "lastTransitionTime": at,
    }
    return Decision(None, {**status, "conditions": [*(status.get("conditions") or []), ended]})


def _pause(pods: Sequence[Object], failed: int, now: datetime) -> float:
    """Seconds until the next pod, which grow with every failure."""
    if not failed:
        return 0.0
    ended = max(
        (
            str(objects.get(each, "status", "containerStatuses", 0, "state", "terminated",
                            "finishedAt", default=""))
            for each in pods
        ),
        default="",
    )  # fmt: skip
    pause = min(_FIRST_PAUSE * 2 ** (failed - 1), _LONGEST_PAUSE)
    # Longer than the pause it is after a clock that was ahead.
    left = _read(ended) + pause - now if ended else timedelta()
    return left.total_seconds() if left <= pause else 0.0


def _pod_for(job: Object, number: int) -> Object:
    template = copy.deepcopy(job["spec"]["template"])
    meta = template.get("metadata") or {}
    name = objects.name(job)
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            **meta,
            "name": f"{name}-{number}",
            "namespace": objects.namespace(job),
            "labels": {
                **(meta.get("labels") or {}),
                "batch.kubernetes.io/job-name": name[:63],
                "job-name": name[:63],
            },
            "ownerReferences": [
                owners.owner_reference({"apiVersion": JOBS.api_version, "kind": JOBS.kind, **job})
            ],
        },
        "spec": template["spec"],
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
