"""
What a worker pod tells about its work.

`report_of` reads a pod once: its phase, the worker's container, how it ended or last ended.
What follows from a report is decided elsewhere (`decide`, `runningcondition`). Moments are
datetimes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cdi.api import durations, phases, reasons
from cdi.api.termination import Termination
from cdi.controllers.working import mounts
from cdi.kube import objects
from cdi.kube.objects import Object

CRASH_LOOP: Final = "CrashLoopBackOff"
_PAUSE: Final = "back-off"  # Kubernetes 1.30 says only that it waits
_LONGEST_CAUSE: Final = 1024
PULL_FAILURES: Final = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName"})
# Why a container waits that has no image to start from.
_IMAGE_MISSING: Final = PULL_FAILURES | {"ErrImageNeverPull", "ImageInspectError"}

_BACK_OFF: Final = re.compile(r"back-off ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+) restarting")


@dataclass(frozen=True, slots=True)
class Ended:
    """How the worker's process ended."""

    termination: Termination
    reason: str  # the container's: Completed, Error, OOMKilled
    at: datetime | None
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One look at a pod."""

    phase: str
    restarts: int | None  # None: nothing is known of the container yet
    running: bool = False  # all containers
    waiting_reason: str = ""
    waiting_message: str = ""
    failed_pull: str = ""  # image that cannot be pulled
    pull_cause: str = ""  # what the container runtime said of it, if it is said just now
    now_ended: Ended | None = None  # the process ended and has not been started again
    last_ended: Ended | None = None  # an earlier process ended like this
    unschedulable: bool = False
    has_scratch: bool = False
    direct_io: bool = False
    lost: str = ""  # why the pod will never end well: evicted, its node is gone, it says nothing

    @property
    def ended(self) -> Ended | None:
        """The newest end that is known."""
        return self.now_ended or self.last_ended

    @property
    def in_crash_loop(self) -> bool:
        return self.waiting_reason == CRASH_LOOP

    @property
    def complete(self) -> bool:
        """The volume is filled: this worker says so itself, in its last message.

        Nothing else counts. A pod that is being deleted may show phase Succeeded with a disk
        that is not there, and one that has filled its volume may be shown as Failed because
        a container beside the worker was killed.
        """
        return self.now_ended is not None and self.now_ended.termination.says_complete

    @property
    def wants_scratch(self) -> bool:
        return self.ended is not None and self.ended.termination.scratch_space_required

    @property
    def deadline_passed(self) -> bool:
        """Whether an upload server has made way for another one."""
        return self.now_ended is not None and self.now_ended.termination.deadline_passed

    @property
    def fatal(self) -> Ended | None:
        """The end after which another attempt makes no sense."""
        ended = self.ended
        # While it runs again nothing is final: whoever starts it thinks that it may work now.
        if ended is None or (self.running and self.now_ended is None):
            return None
        return ended if ended.termination.permanent else None

    @property
    def out_of_memory(self) -> bool:
        return any(
            each is not None and each.reason == reasons.OOM_KILLED
            for each in (self.now_ended, self.last_ended)
        )

    @property
    def next_attempt(self) -> datetime | None:
        """When the kubelet will start the worker again, as far as it says."""
        found = _BACK_OFF.search(self.waiting_message)
        if not self.in_crash_loop or found is None:
            return None
        if self.last_ended is None or self.last_ended.at is None:
            return None
        return self.last_ended.at + timedelta(seconds=durations.parse(found[1]))


def report_of(found: Object, container: str) -> Report:
    """Read a pod whose worker is in the container of this name."""
    statuses: list[Object] = objects.get(found, "status", "containerStatuses", default=[])
    own: Object = next((each for each in statuses if each.get("name") == container), {})
    waiting = objects.get(own, "state", "waiting", default={})
    image, cause = _failed_pull(found)
    return Report(
        phase=str(objects.get(found, "status", "phase", default="")),
        restarts=own.get("restartCount", 0) if own else None,
        running=bool(statuses) and all(_is_running(each) for each in statuses),
        waiting_reason=str(waiting.get("reason") or ""),
        waiting_message=str(waiting.get("message") or ""),
        failed_pull=image,
        pull_cause=cause,
        now_ended=_ended(objects.get(own, "state", "terminated")),
        last_ended=_ended(objects.get(own, "lastState", "terminated")),
        unschedulable=_is_unschedulable(found),
        has_scratch=_has_volume(found, mounts.SCRATCH),
        direct_io=_environment(found, container).get("CACHE_MODE") == "TRYNONE",
        lost=_lost(found, own) or _unexplained(found, own),
    )


def is_left_behind(found: Object, container: str, image: str) -> bool:
    """Whether a pod waits for a worker's image that is gone, and `image` has taken its place.

    Another version of CDI, or another operator's, made it, and went with its images. A pod whose
    worker runs is no such case, nor one whose image is the one that a new pod would have.
    """
    if _image_of(found, container) in ("", image):
        return False
    return any(
        objects.get(status, "state", "waiting", "reason") in _IMAGE_MISSING
        for kind in ("initContainerStatuses", "containerStatuses")
        for status in objects.get(found, "status", kind, default=[])
    )


def _image_of(found: Object, name: str) -> str:
    containers = [
        *objects.get(found, "spec", "initContainers", default=[]),
        *objects.get(found, "spec", "containers", default=[]),
    ]
    own: Object = next((each for each in containers if each.get("name") == name), {})
    return str(own.get("image") or "")


def is_over(pause: timedelta, due: datetime, now: datetime) -> bool:
    """Whether a pause has passed that ends when `due`.

    One that has more left than it lasts was begun by a clock that was ahead.
    """
    return not timedelta() < due - now <= pause


def lost_at(found: Object) -> datetime:
    """When a pod was lost, as far as it can be known; its start at the latest."""
    statuses = objects.get(found, "status", "containerStatuses", default=[])
    moments = [
        *(objects.get(status, "state", "terminated", "finishedAt") for status in statuses),
        *(
            condition.get("lastTransitionTime")
            for condition in objects.get(found, "status", "conditions", default=[])
        ),
        objects.get(found, "status", "startTime"),
        objects.metadata(found).get("creationTimestamp"),
    ]
    known = [moment for text in moments if (moment := parse_moment(text)) is not None]
    return max(known, default=datetime.min.replace(tzinfo=UTC))


def parse_moment(text: object) -> datetime | None:
    """A time as Kubernetes writes it; None where it is missing or no time."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_running(status: Object) -> bool:
    return objects.get(status, "state", "running") is not None


def _ended(terminated: Any) -> Ended | None:
    if not isinstance(terminated, dict):
        return None
    code = int(terminated.get("exitCode") or 0)
    return Ended(
        termination=Termination.from_message(str(terminated.get("message") or ""), code),
        reason=str(terminated.get("reason") or ""),
        at=parse_moment(terminated.get("finishedAt")),
        began=parse_moment(terminated.get("startedAt")),
    )


def _failed_pull(found: Object) -> tuple[str, str]:
    """Return the image that cannot be pulled, and why; the cause is empty between two tries."""
    statuses = [
        *objects.get(found, "status", "initContainerStatuses", default=[]),
        *objects.get(found, "status", "containerStatuses", default=[]),
    ]
    for status in statuses:
        waiting = objects.get(status, "state", "waiting", default={})
        if waiting.get("reason") in PULL_FAILURES and not status.get("started"):
            return str(status.get("image") or "unknown"), _cause(str(waiting.get("message") or ""))
    return "", ""


def _cause(message: str) -> str:
    """What a kubelet passes on of the runtime's words; newer ones do so in pauses as well."""
    if message.lower().startswith(_PAUSE):
        message = message.partition(": ")[2].removeprefix("ErrImagePull: ")
    return message.strip()[:_LONGEST_CAUSE]


def _is_unschedulable(found: Object) -> bool:
    if objects.get(found, "status", "phase") != phases.Pod.PENDING:
        return False
    return any(
        each.get("type") == "PodScheduled" and each.get("reason") == reasons.UNSCHEDULABLE
        for each in objects.get(found, "status", "conditions", default=[])
    )


def _has_volume(found: Object, name: str) -> bool:
    volumes = objects.get(found, "spec", "volumes", default=[])
    return any(volume.get("name") == name for volume in volumes)


def _environment(found: Object, name: str) -> dict[str, str]:
    containers = objects.get(found, "spec", "containers", default=[])
    return {
        entry["name"]: str(entry.get("value") or "")
        for container in containers
        if container.get("name") == name
        for entry in container.get("env") or []
    }


def _lost(found: Object, own: Object) -> str:
    """Say why a pod is of no use any more although its worker has not finished."""
    status = found.get("status") or {}
    if status.get("phase") not in (phases.Pod.FAILED, phases.Pod.UNKNOWN):
        return ""
    said = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
    if said:
        return said
    message = str(objects.get(own, "state", "terminated", "message") or "")
    return Termination.from_message(message).message or f"the pod is {status['phase']}"


def _unexplained(found: Object, own: Object) -> str:
    """Say why a pod that is over proves nothing: its worker left no word of success."""
    if objects.get(found, "status", "phase") != phases.Pod.SUCCEEDED:
        return ""
    ended = _ended(objects.get(own, "state", "terminated"))
    if ended is None:
        return "the pod is over, and nothing is known of its worker"
    termination = ended.termination
    if termination.says_complete or termination.scratch_space_required or termination.permanent:
        return ""
    return termination.message or "the worker ended without a word"
