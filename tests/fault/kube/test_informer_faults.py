"""A watch breaks in every way there is: the cache ends right, and the server is left in peace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from cdi.kube import connection, objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.informer import Informer, Timing
from cdi.kube.objects import Key
from cdi.kube.resource import PODS
from cdi.kube.transport import Settings
from support.fakeclock import FakeClock, settle
from support.fakekube import FakeKube, Fault
from support.loop import in_loop

# Pauses shorter than this fly by; a watch's patience is longer and stays under control.
SKIP = 60.0


def pod(name: str, phase: str = "Running") -> objects.Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "ns", "name": name},
        "status": {"phase": phase},
    }


class Follower:
    """An informer at work, what it told, and the clock it goes by."""

    def __init__(self, server: FakeKube, informer: Informer, clock: FakeClock) -> None:
        self.server = server
        self.informer = informer
        self.clock = clock
        self.told: list[tuple[str, str]] = []
        self.mirror: dict[Key, objects.Object] = {}
        self._heard = asyncio.Condition()
        informer.on_change(self._take)

    def _take(self, change: Change) -> None:
        state = change.new or change.old
        assert state is not None
        self.told.append((str(change.type), objects.name(state)))
        if change.new is None:
            del self.mirror[objects.key(state)]
        else:
            self.mirror[objects.key(state)] = state

    @property
    def agrees(self) -> bool:
        """Whether the cache, and who listened to it, know exactly what the server has."""
        truth = {
            Key(*key): obj["metadata"]["resourceVersion"]
            for key, obj in self.server.objects("pods").items()
        }
        cached = {
            objects.key(obj): objects.resource_version(obj) for obj in self.informer.cache.list()
        }
        heard = {key: objects.resource_version(obj) for key, obj in self.mirror.items()}
        return truth == cached == heard

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the server talk until the condition holds."""
        while not condition():
            await self.server.notify()
            await settle(5)

    @property
    def requests_per_second(self) -> float:
        return self.server.count("list", "watch") / max(1.0, self.clock.now())


@asynccontextmanager
async def following(
    server: FakeKube, *, request_timeout: float = 30.0, optional: bool = False
) -> AsyncIterator[Follower]:
    clock = FakeClock(skip=SKIP)
    settings = Settings(rate=1e6, burst=1_000_000, request_timeout=request_timeout)
    stop = asyncio.Event()
    async with Client.to(connection.direct(server.url), settings, clock=clock) as client:
        informer = Informer(
            client, PODS, clock=clock, timing=Timing(watch=300.0), optional=optional
        )
        follower = Follower(server, informer, clock)
        running = asyncio.create_task(informer.run(stop))
        try:
            yield follower
            assert not running.done()
        finally:
            stop.set()
            await running


@in_loop
async def test_objects_that_vanished_unwatched_are_reported_as_deleted() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("stays"))
        server.put("pods", pod("goes"))
        async with following(server) as follower:
            await follower.informer.ready()
            await follower.until(lambda: server.count("watch") == 1)
            server.drop("pods", "goes", "ns", silently=True)
            server.put("pods", pod("comes"), silently=True)
            server.compact()
            await server.cut_watches()
            await follower.until(lambda: follower.agrees)
            assert ("deleted", "goes") in follower.told
            assert ("added", "comes") in follower.told


@in_loop
async def test_an_object_made_again_unwatched_is_another_object() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        async with following(server) as follower:
            await follower.informer.ready()
            await follower.until(lambda: server.count("watch") == 1)
            server.drop("pods", "a", "ns", silently=True)
            server.put("pods", pod("a"), silently=True)
            server.compact()
            await server.cut_watches()
            await follower.until(lambda: follower.agrees)
            assert follower.told == [("added", "a"), ("deleted", "a"), ("added", "a")]


@in_loop
async def test_a_cut_watch_is_resumed_without_listing_again() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        async with following(server) as follower:
            await follower.informer.ready()
            await follower.until(lambda: server.count("watch") == 1)
            await server.cut_watches()
            server.drop("pods", "a", "ns")
            await follower.until(lambda: follower.agrees)
            assert server.count("list") == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("list", times=40, code=403), id="list-forbidden"),
        pytest.param(Fault("list", times=40, code=401), id="list-unauthorized"),
        pytest.param(Fault("list", times=40, code=500), id="list-internal-error"),
        pytest.param(Fault("list", times=40, code=404), id="list-kind-not-known-yet"),
        pytest.param(Fault("list", times=40, code=429, retry_after=1), id="list-too-many"),
        pytest.param(Fault("list", times=40, code=503), id="list-unavailable"),
        pytest.param(Fault("list", times=40, cut=True), id="list-cut"),
        pytest.param(Fault("watch", times=40, code=403), id="watch-forbidden"),
        pytest.param(Fault("watch", times=40, code=401), id="watch-unauthorized"),
        pytest.param(Fault("watch", times=40, code=500), id="watch-internal-error"),
        pytest.param(Fault("watch", times=40, code=410), id="watch-expired"),
        pytest.param(Fault("watch", times=40, code=429), id="watch-too-many"),
        pytest.param(Fault("watch", times=40, error=410), id="watch-expired-as-event"),
        pytest.param(Fault("watch", times=40, error=500), id="watch-error-event"),
        pytest.param(Fault("watch", times=40, cut=True), id="watch-cut-at-once"),
        pytest.param(Fault("watch", times=40), id="watch-ended-politely-at-once"),
    ],
)
@in_loop
async def test_forty_failures_in_a_row_are_not_a_hot_loop(fault: Fault) -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        server.faults.append(fault)
        async with following(server) as follower:
            await follower.until(lambda: fault.times == 0)
            failing_for = follower.clock.now()
            requests = server.count("list", "watch")
            server.put("pods", pod("b"))
            server.drop("pods", "a", "ns")
            await follower.until(lambda: follower.agrees)
            assert requests / failing_for < 3


@in_loop
async def test_a_server_too_slow_to_list_is_not_asked_all_the_time() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        slow = Fault("list", times=6, stall=True)
        server.faults.append(slow)
        async with following(server, request_timeout=0.05) as follower:
            await follower.until(lambda: slow.times == 0)
            # Only the pauses count here: on this clock the waiting itself takes no time.
            assert server.count("list", "watch") / follower.clock.now() < 3
            await follower.until(lambda: follower.agrees)


@in_loop
async def test_watches_cut_after_random_events_lose_nothing() -> None:
    chance = random.Random(7)
    async with FakeKube() as server:
        server.faults += [
            Fault("watch", cut=chance.random() < 0.7, after=chance.randrange(4))
            if chance.random() < 0.8
            else Fault("watch", error=chance.choice([410, 500]), after=chance.randrange(4))
            for _ in range(60)
        ]
        async with following(server) as follower:
            await follower.informer.ready()
            names = [f"pod-{number}" for number in range(12)]
            for step in range(300):
                name = chance.choice(names)
                if ("ns", name) in server.objects("pods") and chance.random() < 0.4:
                    server.drop("pods", name, "ns")
                else:
                    server.put("pods", pod(name, phase=str(step)))
                if chance.random() < 0.05:
                    server.compact()
                await server.notify()
                await asyncio.sleep(0)
            await follower.until(lambda: follower.agrees)
            assert follower.requests_per_second < 5


@in_loop
async def test_a_silent_watch_is_given_up_and_resumed() -> None:
    async with FakeKube() as server:
        server.faults.append(Fault("watch", stall=True))
        async with following(server) as follower:
            await follower.until(lambda: server.count("watch") == 1)
            server.put("pods", pod("unseen"))
            await follower.clock.advance(250)
            assert not follower.agrees
            await follower.clock.advance(100)
            await follower.until(lambda: follower.agrees)
            assert server.count("watch") == 2


@in_loop
async def test_missing_bookmarks_give_a_silent_watch_away_sooner() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        server.faults.append(Fault("watch", stall=True, after=1))
        async with following(server) as follower:
            await follower.until(lambda: server.count("watch") == 1)
            await server.bookmark()
            bookmarked = str(server.version)
            await follower.until(lambda: follower.informer.position == bookmarked)
            await follower.clock.advance(201)
            await follower.until(lambda: server.count("watch") == 2)
            assert server.requests[-1].query["resourceVersion"] == bookmarked


@in_loop
async def test_a_list_that_expires_between_pages_is_read_in_one() -> None:
    async with FakeKube() as server:
        for number in range(1200):
            server.put("pods", pod(f"pod-{number}"))
        server.before_page = lambda query: "continue" in query and server.page_tokens.clear()
        async with following(server) as follower:
            await follower.informer.ready()
            assert follower.agrees
            assert "limit" not in server.requests[2].query


@in_loop
async def test_a_handler_that_raises_does_not_end_the_watch() -> None:
    async with FakeKube() as server, following(server) as follower:

        def broken(_: Change) -> None:
            raise RuntimeError("a bug")

        follower.informer.on_change(broken)
        await follower.informer.ready()
        server.put("pods", pod("a"))
        await follower.until(lambda: follower.agrees and len(follower.informer.cache) == 1)


@in_loop
async def test_a_server_that_comes_back_elsewhere_in_time_is_listed_again() -> None:
    async with FakeKube() as server:
        server.put("pods", pod("a"))
        server.faults.append(Fault("watch", code=504, reason="Timeout"))
        async with following(server) as follower:
            await follower.until(lambda: server.count("watch") == 2)
            assert server.count("list") == 2
            await follower.until(lambda: follower.agrees)


@in_loop
async def test_a_kind_that_nobody_serves_yet_is_empty_until_somebody_does() -> None:
    async with FakeKube() as server:
        server.faults.append(Fault("list", "pods", times=3, code=404, reason="NotFound"))
        server.put("pods", pod("there"))
        async with following(server, optional=True) as follower:
            await follower.informer.ready()
            assert follower.informer.cache.list() == []
            await follower.until(lambda: follower.agrees)
            assert follower.told == [("added", "there")]


@in_loop
async def test_a_kind_that_is_not_for_us_to_see_is_empty_until_it_is() -> None:
    async with FakeKube() as server:
        server.faults.append(Fault("list", "pods", times=3, code=403, reason="Forbidden"))
        server.put("pods", pod("there"))
        async with following(server, optional=True) as follower:
            await follower.informer.ready()
            assert follower.informer.cache.list() == []
            await follower.until(lambda: follower.agrees)
            assert follower.told == [("added", "there")]


@in_loop
async def test_a_kind_that_everybody_serves_is_waited_for() -> None:
    async with FakeKube() as server:
        server.faults.append(Fault("list", "pods", times=3, code=404, reason="NotFound"))
        server.put("pods", pod("there"))
        async with following(server) as follower:
            await follower.informer.ready()
            assert len(follower.informer.cache) == 1
