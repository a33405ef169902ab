"""When a container is started again, and how its pod shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cdi.standalone.agent import containers, lifecycle, podstatus
from cdi.standalone.agent.containers import Container, Ended, Running, Waiting
from cdi.standalone.agent.lifecycle import ALWAYS, NEVER, ON_FAILURE, Restarts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RESTARTS = Restarts(first=10, longest=300, forgotten=600)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def ended(code: int, ago: float = 0, ran: float = 1) -> Ended:
    return Ended(code, NOW - seconds(ago + ran), NOW - seconds(ago))


def container(state: containers.State, failures: int = 1) -> Container:
    return Container("c", state, failures=failures)


@pytest.mark.parametrize(
    ("state", "policy", "start", "again"),
    [
        pytest.param(Waiting(), ON_FAILURE, True, None, id="new"),
        pytest.param(Running(NOW), ALWAYS, False, None, id="running"),
        pytest.param(ended(0), ON_FAILURE, False, None, id="done"),
        pytest.param(ended(1), NEVER, False, None, id="failed-and-never-again"),
        pytest.param(ended(0, ago=10), ALWAYS, True, None, id="done-and-always-again"),
        pytest.param(ended(1), ON_FAILURE, False, 1, id="failed-just-now"),
        pytest.param(ended(1, ago=4), ON_FAILURE, False, 6, id="failed-and-waits"),
        pytest.param(ended(1, ago=10), ON_FAILURE, True, None, id="failed-and-due"),
    ],
)
def test_a_container_is_started_when_it_is_due(
    state: containers.State, policy: str, start: bool, again: float | None
) -> None:
    plan = lifecycle.decide(container(state), policy, RESTARTS, NOW)

    assert plan.start is start
    assert plan.again == (None if again is None else NOW + seconds(again))


def test_while_it_waits_the_next_start_is_told() -> None:
    plan = lifecycle.decide(container(ended(1, ago=4)), ON_FAILURE, RESTARTS, NOW)

    assert plan.container.last == ended(1, ago=4)
    assert plan.container.state == Waiting(
        "CrashLoopBackOff",
        "back-off 10s restarting failed container=c; next start at 2030-01-01T00:00:06Z",
    )
    assert lifecycle.decide(plan.container, ON_FAILURE, RESTARTS, NOW + seconds(6)).start


def test_an_end_that_a_clock_noted_that_was_ahead_holds_up_no_start() -> None:
    ahead = container(ended(1, ago=-365 * 86400))
    assert lifecycle.decide(ahead, ON_FAILURE, RESTARTS, NOW).start


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (1000, 300)]
)
def test_the_wait_doubles_up_to_a_limit(failures: int, pause: float) -> None:
    assert RESTARTS.pause(failures) == seconds(pause)


def test_a_long_run_is_a_new_beginning() -> None:
    late = container(Running(NOW), failures=7)

    assert lifecycle.ended_with(late, ended(1), RESTARTS).failures == 8
    assert lifecycle.ended_with(late, ended(1, ran=600), RESTARTS).failures == 1


def test_a_restart_is_counted_and_remembers_the_end() -> None:
    again = lifecycle.started(container(ended(1)), NOW)

    assert (again.restarts, again.last, again.state) == (1, ended(1), Running(NOW))
    assert lifecycle.started(Container("c"), NOW).restarts == 0


@pytest.mark.parametrize(
    ("states", "policy", "phase"),
    [
        pytest.param([Waiting()], ON_FAILURE, "Pending", id="new"),
        pytest.param([Running(NOW)], ON_FAILURE, "Running", id="running"),
        pytest.param([Running(NOW), Waiting()], ON_FAILURE, "Pending", id="one-not-yet"),
        pytest.param([ended(0)], ON_FAILURE, "Succeeded", id="done"),
        pytest.param([ended(1)], ON_FAILURE, "Running", id="failed-and-again"),
        pytest.param([ended(1)], NEVER, "Failed", id="failed"),
        pytest.param([ended(0)], ALWAYS, "Running", id="always"),
        pytest.param([ended(0), Running(NOW)], NEVER, "Running", id="one-still-runs"),
    ],
)
def test_a_phase_follows_from_the_states(
    states: list[containers.State], policy: str, phase: str
) -> None:
    assert podstatus.phase_of([container(state) for state in states], policy) == phase


def test_a_pod_between_two_starts_is_running() -> None:
    waiting = replace(container(Waiting("CrashLoopBackOff")), last=ended(1))

    assert podstatus.phase_of([waiting], ON_FAILURE) == "Running"


@pytest.mark.parametrize(
    "one",
    [
        Container("c"),
        Container("c", Running(NOW), last=ended(1), restarts=2, failures=2),
        Container("c", ended(3), restarts=1, failures=2),
        Container("c", Waiting("CrashLoopBackOff", "soon"), ended(1), 4, 4),
    ],
)
def test_a_container_is_read_back_from_the_status(one: Container) -> None:
    shown = containers.status_of(one, {"image": "i"}, "uid")

    found = containers.from_status("c", [shown])

    expected = one.last and replace(one.last, reason=one.last.shown_reason)
    state = one.state
    if isinstance(state, Ended):
        state = replace(state, reason=state.shown_reason)
    assert found == replace(one, state=state, last=expected)


def test_conditions_keep_their_moment_until_they_change() -> None:
    pod = {"metadata": {"uid": "u"}, "spec": {"containers": [{"name": "c"}]}}
    one = podstatus.status_for(pod, [container(Running(NOW))], "127.64.0.1", NOW)
    later = NOW + seconds(60)
    two = podstatus.status_for(pod | {"status": one}, [container(ended(1))], "", later)

    moments = {entry["type"]: entry["lastTransitionTime"] for entry in two["conditions"]}
    assert moments["PodScheduled"] == containers.written(NOW)
    assert moments["Ready"] == containers.written(later)
    assert two["podIP"] == "127.64.0.1"
