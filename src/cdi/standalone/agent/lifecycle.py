"""
When a container is started, left alone, or started again: a pure decision.

The kubelet's rules, with one difference: it restarts at once after the first failure and waits
only from the second one on. Here every restart waits, so that whoever watches sees how a
container ended. Durations in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cdi.standalone.agent.containers import BACK_OFF, Container, Ended, Running, Waiting, written

ALWAYS, ON_FAILURE, NEVER = "Always", "OnFailure", "Never"

# For so long an end is shown as such, before the pod is shown as waiting for its restart.
_SHOWN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Restarts:
    """How long to wait before a restart: doubling, and forgotten after a good while."""

    first: float = 1.0
    longest: float = 60.0
    forgotten: float = 600.0

    def pause(self, failures: int) -> timedelta:
        """Return the wait after that many ends in a row; 1 is the first."""
        grown = self.first * 2.0 ** min(failures - 1, 32)
        return timedelta(seconds=min(self.longest, grown))


KUBELET = Restarts(first=10.0, longest=300.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """The container as it is to be shown; whether to start it now; when to look again."""

    container: Container
    start: bool = False
    again: datetime | None = None


def decide(container: Container, policy: str, restarts: Restarts, now: datetime) -> Plan:
    """Choose the next step for a container of a pod that is to run."""
    match container.state:
        case Running():
            return Plan(container)
        case Ended() as ended:
            if not restarts_after(ended, policy):
                return Plan(container)
            return _after(container, ended, restarts, now)
        case Waiting():
            if container.last is None:
                return Plan(container, start=True)
            return _after(container, container.last, restarts, now)


def restarts_after(ended: Ended, policy: str) -> bool:
    """Whether a container that ended so is started again."""
    return policy == ALWAYS or (policy == ON_FAILURE and ended.code != 0)


def ended_with(container: Container, ended: Ended, restarts: Restarts) -> Container:
    """The container after its process has ended."""
    long = (ended.finished - ended.started).total_seconds() >= restarts.forgotten
    failures = 0 if long or ended.code == 0 else container.failures
    return replace(container, state=ended, failures=failures + 1)


def started(container: Container, now: datetime) -> Container:
    """The container once its process runs."""
    last = container.state if isinstance(container.state, Ended) else container.last
    again = 1 if last is not None else 0
    return replace(container, state=Running(now), last=last, restarts=container.restarts + again)


def _after(container: Container, ended: Ended, restarts: Restarts, now: datetime) -> Plan:
    pause = restarts.pause(max(1, container.failures))
    due = ended.finished + pause
    # An end that is still to come was noted by a clock that was ahead.
    if now >= due or now < ended.finished:
        return Plan(container, start=True)
    shown = ended.finished + _SHOWN
    if now < shown and isinstance(container.state, Ended):
        return Plan(container, again=min(due, shown))
    message = (
        f"back-off {pause.total_seconds():g}s restarting failed container={container.name}; "
        f"next start at {written(due)}"
    )
    waiting = replace(container, state=Waiting(BACK_OFF, message), last=ended)
    return Plan(waiting, again=due)
