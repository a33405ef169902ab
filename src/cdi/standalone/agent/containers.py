"""
The states of a container, and how its pod's status shows them. Values, both directions.

After a restart of the agent the status of the pod is where the history of a container is read
from. Times are in UTC; the API keeps whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cdi.kube import objects
from cdi.kube.objects import Object

COMPLETED = "Completed"
ERROR = "Error"
CREATING = "ContainerCreating"
BACK_OFF = "CrashLoopBackOff"
CONFIG_ERROR = "CreateContainerConfigError"
UNKNOWN = "ContainerStatusUnknown"  # nobody saw it end
KILLED = 137  # exit code of what was killed


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running, and not because it has ended."""

    reason: str = CREATING
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A process."""

    started: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that was."""

    code: int
    started: datetime
    finished: datetime
    message: str = ""
    reason: str = ""

    @property
    def shown_reason(self) -> str:
        return self.reason or (ERROR if self.code else COMPLETED)


State: TypeAlias = Waiting | Running | Ended


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod as it is now."""

    name: str
    state: State = Waiting()
    last: Ended | None = None  # how it ended before the present state
    restarts: int = 0
    failures: int = 0  # in a row, which is what the back-off grows with
    answers: bool = True  # as its readiness probe has it, while it runs

    @property
    def is_ready(self) -> bool:
        return isinstance(self.state, Running) and self.answers

    @property
    def attempt(self) -> int:
        """Counts the processes of this container from 0; also the number of its log."""
        return self.restarts


def status_of(container: Container, spec: Mapping[str, Any], pod_uid: str) -> Object:
    """The entry of `containerStatuses`."""
    state, running = container.state, isinstance(container.state, Running)
    identity = f"cdi://{pod_uid}/{container.name}/{container.attempt}"
    status: Object = {
        "name": container.name,
        "image": spec.get("image", ""),
        "imageID": spec.get("image", ""),
        "ready": container.is_ready,
        "started": running,
        "restartCount": container.restarts,
        "state": _state(state, identity),
        "lastState": {},
    }
    if not isinstance(state, Waiting) or container.last:
        status["containerID"] = identity
    if container.last is not None:
        status["lastState"] = _state(container.last, identity)
    return status


def _state(state: State, identity: str) -> Object:
    match state:
        case Waiting():
            shown = {"reason": state.reason}
            return {"waiting": shown | ({"message": state.message} if state.message else {})}
        case Running():
            return {"running": {"startedAt": written(state.started)}}
        case Ended():
            ended: Object = {
                "exitCode": state.code,
                "reason": state.shown_reason,
                "startedAt": written(state.started),
                "finishedAt": written(state.finished),
                "containerID": identity,
            }
            if state.message:
                ended["message"] = state.message
            return {"terminated": ended}


def from_status(name: str, statuses: list[Object]) -> Container:
    """The container as the pod's status remembers it; a new one where it does not."""
    found = next((status for status in statuses if status.get("name") == name), None)
    if found is None:
        return Container(name)
    state = _parse_state(found.get("state") or {})
    last = _parse_state(found.get("lastState") or {})
    restarts = int(found.get("restartCount") or 0)
    return Container(
        name,
        state=state,
        last=last if isinstance(last, Ended) else None,
        restarts=restarts,
        failures=restarts + (isinstance(state, Ended) and state.code != 0),
    )


def _parse_state(state: Object) -> State:
    if running := state.get("running"):
        return Running(read(running.get("startedAt")))
    if ended := state.get("terminated"):
        return Ended(
            code=int(ended.get("exitCode") or 0),
            started=read(ended.get("startedAt")),
            finished=read(ended.get("finishedAt")),
            message=str(ended.get("message") or ""),
            reason=str(ended.get("reason") or ""),
        )
    waiting = objects.get(state, "waiting", default={})
    return Waiting(str(waiting.get("reason") or CREATING), str(waiting.get("message") or ""))


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
