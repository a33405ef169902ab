"""The work queue, by a clock that the tests move."""

from __future__ import annotations

import asyncio

import pytest

from cdi.kube.backoff import Backoff
from cdi.kube.queue import ShutDownError, WorkQueue
from cdi.kube.ratelimit import TokenBucket
from support.fakeclock import FakeClock, settle
from support.loop import in_loop


def drained(queue: WorkQueue[str]) -> list[str]:
    """Everything that can be taken without waiting; marked as done at once."""
    taken = []
    while len(queue):
        getting = queue.get()
        with pytest.raises(StopIteration) as got:
            getting.send(None)
        taken.append(got.value.value)
        queue.done(got.value.value)
    return taken


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(["a"], ["a"], id="what-was-added"),
        pytest.param(["a", "b", "c"], ["a", "b", "c"], id="first-in-first-out"),
        pytest.param(["a", "b", "a", "a"], ["a", "b"], id="each-key-once"),
        pytest.param([], [], id="nothing"),
    ],
)
@in_loop
async def test_the_queue_hands_out(steps: list[str], expected: list[str]) -> None:
    queue = WorkQueue[str](FakeClock())
    for key in steps:
        queue.add(key)
    assert drained(queue) == expected


@in_loop
async def test_a_key_added_while_worked_on_comes_again_afterwards() -> None:
    queue = WorkQueue[str](FakeClock())
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert drained(queue) == ["a"]


@in_loop
async def test_no_two_workers_ever_have_the_same_key() -> None:
    queue = WorkQueue[str](FakeClock())
    active: set[str] = set()
    done: list[str] = []

    async def work() -> None:
        while True:
            try:
                key = await queue.get()
            except ShutDownError:
                return
            assert key not in active
            active.add(key)
            await settle(3)
            active.remove(key)
            done.append(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for round_ in range(50):
        queue.add(f"key-{round_ % 3}")
        await settle(1)
    await settle(200)
    queue.shut_down()
    await asyncio.gather(*workers)
    assert set(done) == {"key-0", "key-1", "key-2"}


@pytest.mark.parametrize(
    ("delays", "moments"),
    [
        pytest.param([5], {5: ["a"]}, id="at-its-time"),
        pytest.param([5, 3], {3: ["a"], 5: []}, id="the-earlier-one-wins"),
        pytest.param([3, 5], {3: ["a"], 5: []}, id="a-later-one-is-ignored"),
        pytest.param([0], {0: ["a"]}, id="no-delay-is-now"),
        pytest.param([-1], {0: ["a"]}, id="a-time-gone-by-is-now"),
    ],
)
@in_loop
async def test_a_delayed_key_comes(delays: list[float], moments: dict[int, list[str]]) -> None:
    clock = FakeClock()
    queue = WorkQueue[str](clock)
    for delay in delays:
        queue.add_after("a", delay)
    for moment, expected in moments.items():
        if moment:
            await clock.advance(moment - 0.01 - clock.now())
            assert drained(queue) == []
            await clock.advance(0.01)
        assert drained(queue) == expected


@in_loop
async def test_delayed_keys_come_in_the_order_of_their_times() -> None:
    clock = FakeClock()
    queue = WorkQueue[str](clock)
    for key, delay in {"c": 3, "a": 1, "b": 2}.items():
        queue.add_after(key, delay)
    assert queue.delayed == 3
    await clock.advance(10)
    assert drained(queue) == ["a", "b", "c"]
    assert queue.delayed == 0


@in_loop
async def test_failures_of_one_key_are_further_and_further_apart() -> None:
    queue = WorkQueue[str](FakeClock())
    pauses = [queue.add_rate_limited("a") for _ in range(20)]
    assert pauses[:4] == [0.005, 0.01, 0.02, 0.04]
    assert pauses[-1] == 1000.0
    assert queue.add_rate_limited("b") == 0.005


@in_loop
async def test_success_lets_the_back_off_start_over() -> None:
    queue = WorkQueue[str](FakeClock())
    for _ in range(5):
        queue.add_rate_limited("a")
    assert queue.failures("a") == 5
    queue.forget("a")
    assert queue.failures("a") == 0
    assert queue.add_rate_limited("a") == 0.005


@in_loop
async def test_many_failing_keys_share_one_rate() -> None:
    queue = WorkQueue[int](
        FakeClock(), retry=Backoff(first=0.001, jitter=0), bucket=TokenBucket(rate=10, burst=5)
    )
    pauses = [queue.add_rate_limited(key) for key in range(25)]
    assert pauses[4] == 0.001
    assert pauses[24] == pytest.approx(2.0)


@in_loop
async def test_shutting_down_wakes_every_waiting_worker() -> None:
    queue = WorkQueue[str](FakeClock())
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await settle()
    queue.shut_down()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, ShutDownError) for result in results)


@in_loop
async def test_nothing_comes_out_after_shutting_down() -> None:
    clock = FakeClock()
    queue = WorkQueue[str](clock)
    queue.add("a")
    queue.add_after("b", 1)
    queue.shut_down()
    queue.add("c")
    await clock.advance(2)
    with pytest.raises(ShutDownError):
        await queue.get()
