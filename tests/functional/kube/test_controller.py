"""From a change on the server to a reconciled key, and what each outcome leads to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from cdi.kube import connection, errors, logs, objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.controller import Controller, Outcome, Result, TerminalError
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager, Work
from cdi.kube.objects import Key, Object
from cdi.kube.queue import WorkQueue
from cdi.kube.resource import CONFIG_MAPS, PODS
from support.fakeclock import FakeClock, settle
from support.fakekube import FakeKube
from support.loop import in_loop

KEY = Key("ns", "a")


class Seen:
    """Metrics that remember."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Outcome]] = []

    def reconciled(self, controller: str, outcome: Outcome, seconds: float) -> None:
        self.outcomes.append((controller, outcome))

    def queued(self, controller: str, ready: int, delayed: int) -> None:
        pass


def raising(error: Exception) -> Callable[[], Result | None]:
    def end() -> Result | None:
        raise error

    return end


@pytest.mark.parametrize(
    ("end", "outcome", "again_in"),
    [
        pytest.param(lambda: None, Outcome.DONE, None, id="nothing"),
        pytest.param(Result, Outcome.DONE, None, id="done"),
        pytest.param(lambda: Result(again_in=7), Outcome.AGAIN, 7, id="look-again"),
        pytest.param(lambda: Result(again_in=0), Outcome.AGAIN, 0, id="look-again-now"),
        pytest.param(raising(RuntimeError("bug")), Outcome.RETRY, 0.005, id="a-bug"),
        pytest.param(raising(errors.TimedOut("slow")), Outcome.RETRY, 0.005, id="no-answer"),
        pytest.param(
            raising(errors.from_status({"code": 403, "reason": "Forbidden"})),
            Outcome.RETRY,
            0.005,
            id="forbidden-may-be-allowed-later",
        ),
        pytest.param(
            raising(errors.from_status({"code": 409, "reason": "Conflict"})),
            Outcome.CONFLICT,
            0.005,
            id="conflict",
        ),
        pytest.param(raising(TerminalError("never")), Outcome.TERMINAL, None, id="for-good"),
    ],
)
@in_loop
async def test_an_outcome_settles_when_the_key_comes_again(
    end: Callable[[], Result | None], outcome: Outcome, again_in: float | None
) -> None:
    async def reconcile(_: Key) -> Result | None:
        return end()

    clock, seen = FakeClock(), Seen()
    controller = Controller("c", reconcile, metrics=seen, clock=clock)
    assert await controller.process(KEY) is outcome
    assert seen.outcomes == [("c", outcome)]
    assert len(controller.queue) == (1 if again_in == 0 else 0)
    assert controller.queue.delayed == (1 if again_in else 0)
    if again_in:
        await clock.advance(again_in)
        assert await controller.queue.get() == KEY
    controller.queue.shut_down()


@in_loop
async def test_a_reconciler_that_hangs_is_ended_and_tried_again() -> None:
    async def hang(_: Key) -> None:
        await asyncio.Event().wait()

    clock = FakeClock()
    controller = Controller("c", hang, clock=clock, longest=300)
    processing = asyncio.create_task(controller.process(KEY))
    await clock.advance(299)
    assert not processing.done()
    await clock.advance(2)
    assert await processing is Outcome.RETRY


@in_loop
async def test_a_queue_that_is_handed_in_is_used_even_while_empty() -> None:
    async def reconcile(_: Key) -> None: ...

    queue = WorkQueue[Key]()
    assert Controller("c", reconcile, queue=queue).queue is queue


@in_loop
async def test_success_ends_the_back_off() -> None:
    ends = iter([RuntimeError("once"), RuntimeError("twice"), None])

    async def reconcile(_: Key) -> None:
        if error := next(ends):
            raise error

    controller = Controller("c", reconcile, clock=FakeClock())
    for failures in (1, 2, 0):
        await controller.process(KEY)
        assert controller.queue.failures(KEY) == failures


@in_loop
async def test_log_records_carry_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async def reconcile(_: Key) -> None:
        logging.getLogger("anywhere").warning("inside")

    caplog.handler.addFilter(logs.Fields())
    await Controller("c", reconcile, clock=FakeClock()).process(KEY)
    (record,) = [record for record in caplog.records if record.message == "inside"]
    assert vars(record).items() >= {"controller": "c", "namespace": "ns", "object": "a"}.items()


def named_in_label(obj: Object) -> list[Key]:
    owner = objects.labels(obj).get("owner")
    return [Key(objects.namespace(obj), owner)] if owner else []


def pod(name: str, **labels: str) -> Object:
    meta = {"namespace": "ns", "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta}


@in_loop
async def test_a_change_leads_to_the_keys_it_concerns_before_and_after() -> None:
    async def reconcile(_: Key) -> None: ...

    async with FakeKube() as server, Client.to(connection.direct(server.url)) as client:
        informer = Informer(client, PODS)
        controller = Controller("c", reconcile, clock=FakeClock())
        controller.watch(informer, named_in_label, when=lambda change: change.old is not None)
        before, after = pod("p", owner="one"), pod("p", owner="two")
        note: list[Change] = []
        informer.on_change(note.append)
        stop = asyncio.Event()
        server.put("pods", before)
        running = asyncio.create_task(informer.run(stop))
        await informer.ready()
        assert len(controller.queue) == 0
        server.put("pods", after)
        while len(note) < 2:
            await server.notify()
            await settle()
        stop.set()
        await running
        assert {await controller.queue.get() for _ in range(2)} == {
            Key("ns", "one"),
            Key("ns", "two"),
        }


@in_loop
async def test_the_whole_loop_makes_a_config_map_for_every_pod() -> None:
    async with FakeKube() as server, Client.to(connection.direct(server.url)) as client:
        server.collection("v1", "configmaps", "ConfigMap")
        pods, maps = Informer(client, PODS), Informer(client, CONFIG_MAPS)

        async def reconcile(key: Key) -> None:
            if pods.cache.get(key) and not maps.cache.get(key):
                meta = {"namespace": key.namespace, "name": key.name}
                await client.create(CONFIG_MAPS, {"metadata": meta})

        controller = Controller("maps", reconcile, workers=3)
        controller.watch(pods)
        controller.watch(maps)
        manager = Manager()
        manager.add(Group.CACHES, pods, maps)
        manager.add(Group.CONTROLLERS, controller)
        stop = asyncio.Event()
        running = asyncio.create_task(manager.run(stop))
        for number in range(20):
            server.put("pods", pod(f"p-{number}"))
        await server.notify()
        await server.until(lambda: len(server.objects("configmaps")) == 20)
        server.drop("configmaps", "p-7", "ns")
        await server.notify()
        await server.until(lambda: len(server.objects("configmaps")) == 20)
        stop.set()
        await running


class Part:
    """A part that tells when it comes and goes."""

    def __init__(self, name: str, told: list[str], *, fails: bool = False) -> None:
        self.name = name
        self._told = told
        self._fails = fails

    async def ready(self) -> None:
        self._told.append(f"{self.name} ready")

    async def run(self, stop: asyncio.Event) -> None:
        self._told.append(f"{self.name} up")
        if self._fails:
            raise RuntimeError(self.name)
        await stop.wait()
        self._told.append(f"{self.name} down")


@in_loop
async def test_groups_start_in_order_and_stop_in_reverse() -> None:
    told: list[str] = []
    manager = Manager()
    manager.add(Group.LEADER, Part("leader", told))
    manager.add(Group.CACHES, Part("caches", told))
    manager.add(Group.SUPPORT, Part("support", told))
    stop = asyncio.Event()
    running = asyncio.create_task(manager.run(stop))
    while "leader ready" not in told:
        await settle()
    stop.set()
    await running
    up = [event for event in told if event.endswith("up")]
    down = [event for event in told if event.endswith("down")]
    assert up == ["support up", "caches up", "leader up"]
    assert down == ["leader down", "caches down", "support down"]


@in_loop
async def test_a_part_that_fails_takes_all_others_with_it() -> None:
    told: list[str] = []
    manager = Manager()
    manager.add(Group.SUPPORT, Part("support", told))
    manager.add(Group.CACHES, Part("broken", told, fails=True))
    with pytest.raises(RuntimeError, match="broken"):
        await manager.run(asyncio.Event())
    assert told[-1] == "support down"


@in_loop
async def test_a_part_that_just_ends_is_a_failure_too() -> None:
    async def nothing(_: asyncio.Event) -> None: ...

    manager = Manager()
    manager.add(Group.CONTROLLERS, Work("idle", nothing))
    with pytest.raises(Exception, match="idle ended by itself"):
        await manager.run(asyncio.Event())


@in_loop
async def test_a_part_that_does_not_stop_is_cancelled_after_the_grace_period() -> None:
    async def deaf(_: asyncio.Event) -> None:
        await asyncio.Event().wait()

    clock = FakeClock()
    manager = Manager(clock=clock, grace=20)
    manager.add(Group.CONTROLLERS, Work("deaf", deaf))
    stop = asyncio.Event()
    running = asyncio.create_task(manager.run(stop))
    await settle()
    stop.set()
    await clock.advance(19)
    assert not running.done()
    await clock.advance(2)
    await running


@in_loop
async def test_leader_work_ends_at_once_when_the_lease_is_lost() -> None:
    async def deaf(_: asyncio.Event) -> None:
        await asyncio.Event().wait()

    async def deposed(_: asyncio.Event) -> None:
        await settle()
        raise errors.LeadershipLost("somebody else leads")

    clock = FakeClock()
    manager = Manager(clock=clock)
    manager.add(Group.ELECTION, Work("election", deposed))
    manager.add(Group.LEADER, Work("deaf", deaf))
    running = asyncio.create_task(manager.run(asyncio.Event()))
    await clock.advance(0.1)
    with pytest.raises(errors.LeadershipLost):
        await running


@in_loop
async def test_a_stop_while_caches_fill_is_heard() -> None:
    class Never(Part):
        async def ready(self) -> None:
            await asyncio.Event().wait()

    told: list[str] = []
    manager = Manager()
    manager.add(Group.CACHES, Never("caches", told))
    manager.add(Group.CONTROLLERS, Part("controller", told))
    stop = asyncio.Event()
    running = asyncio.create_task(manager.run(stop))
    await settle()
    stop.set()
    await running
    assert told == ["caches up", "caches down"]


@in_loop
async def test_a_controller_finishes_the_key_in_hand() -> None:
    go, finished = asyncio.Event(), []

    async def reconcile(key: Key) -> None:
        await go.wait()
        finished.append(key)

    controller = Controller("c", reconcile)
    controller.queue.add(KEY)
    stop = asyncio.Event()
    running = asyncio.create_task(controller.run(stop))
    await settle()
    stop.set()
    await settle()
    assert not running.done()
    go.set()
    await running
    assert finished == [KEY]


@in_loop
async def test_what_is_wrong_for_ever_is_worth_a_line_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refused(_: Key) -> None:
        raise errors.from_status({"code": 422, "reason": "Invalid", "message": "never"})

    controller = Controller("c", refused, clock=FakeClock(skip=60))
    for _ in range(20):
        await controller.process(Key("ns", "bad"))
    lines = [record for record in caplog.records if "reconciling failed" in record.message]
    warned = [record for record in lines if record.levelname == "WARNING"]
    assert len(warned) == 5
