"""Two candidates, one lease, and clocks and servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.leader import Elector, Sighting, Terms, may_take
from cdi.kube.objects import Object
from support.fakeclock import FakeClock, settle
from support.fakekube import FakeKube, Fault
from support.loop import in_loop

TERMS = Terms(duration=15, renew_deadline=10, retry=2)


class Candidate:
    """One replica standing for election, with a clock of its own."""

    def __init__(self, name: str, client: Client, clock: FakeClock) -> None:
        self.clock = clock
        self.stop = asyncio.Event()
        self.elector = Elector(client, "ns", "lease", identity=name, terms=TERMS, clock=clock)
        self.running = asyncio.create_task(self.elector.run(self.stop))


class World:
    def __init__(self, server: FakeKube) -> None:
        self.server = server
        self.candidates: list[Candidate] = []
        self.clients: list[Client] = []

    def stand(self, name: str) -> Candidate:
        clock = FakeClock()
        client = Client.to(connection.direct(self.server.url))
        self.clients.append(client)
        candidate = Candidate(name, client, clock)
        self.candidates.append(candidate)
        return candidate

    @property
    def leaders(self) -> list[str]:
        return [c.elector.identity for c in self.candidates if c.elector.leading]

    @property
    def lease(self) -> Object:
        return self.server.objects("leases")["ns", "lease"]

    async def pass_time(self, seconds: float, *, only: list[Candidate] | None = None) -> None:
        """Let the clocks run, tenth by tenth, and let all requests of each tenth be answered."""
        for _ in range(round(seconds * 10)):
            for candidate in only or self.candidates:
                await candidate.clock.advance(0.1)
            await self.quiet()
            assert len(self.leaders) <= 1

    async def quiet(self) -> None:
        """Wait until every candidate sleeps on its clock and no request is under way."""
        while any(busy(candidate) for candidate in self.candidates):
            await settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self.pass_time(0.1)


def busy(candidate: Candidate) -> bool:
    """Whether it still runs and waits for something other than its next try."""
    if candidate.running.done():
        return False
    wake = candidate.clock.next_wake
    # An attempt under way sets an alarm that is later than any pause between attempts.
    return wake is None or wake > TERMS.retry


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with FakeKube() as server:
        server.collection("coordination.k8s.io/v1", "leases", "Lease")
        made = World(server)
        try:
            yield made
        finally:
            for candidate in made.candidates:
                candidate.running.cancel()
            running = [candidate.running for candidate in made.candidates]
            await asyncio.gather(*running, return_exceptions=True)
            for client in made.clients:
                await client.close()


@in_loop
async def test_one_leads_and_the_other_waits() -> None:
    async with world() as w:
        w.stand("a")
        await w.quiet()
        w.stand("b")
        await w.pass_time(60)
        assert w.leaders == ["a"]
        assert w.lease["spec"]["holderIdentity"] == "a"
        assert w.lease["spec"]["leaseTransitions"] == 0


@in_loop
async def test_a_leader_that_is_told_to_stop_hands_over_at_once() -> None:
    async with world() as w:
        a = w.stand("a")
        await w.quiet()
        w.stand("b")
        await w.pass_time(5)
        a.stop.set()
        await a.running
        await w.pass_time(3)
        assert w.leaders == ["b"]
        assert w.lease["spec"]["leaseTransitions"] == 1


@in_loop
async def test_a_leader_that_died_is_replaced_once_its_time_is_up() -> None:
    async with world() as w:
        a = w.stand("a")
        await w.quiet()
        b = w.stand("b")
        await w.pass_time(5)
        # Killed, not stopped: what it would still say never arrives.
        w.server.faults.append(Fault("update", times=2, code=500))
        a.running.cancel()
        await asyncio.gather(a.running, return_exceptions=True)
        w.server.faults.clear()
        died = b.clock.now()
        await w.until(lambda: w.leaders == ["b"])
        assert TERMS.duration - TERMS.retry <= b.clock.now() - died <= TERMS.duration + 5


@in_loop
async def test_a_leader_whose_clock_stands_still_is_replaced_and_knows_it_when_it_wakes() -> None:
    async with world() as w:
        a = w.stand("a")
        await w.quiet()
        b = w.stand("b")
        await w.pass_time(5)
        for _ in range(300):
            await b.clock.advance(0.1)
            await w.quiet()
        assert b.elector.leading
        await a.clock.advance(3)
        with pytest.raises(errors.LeadershipLost, match="holder now: b"):
            await a.running
        assert w.leaders == ["b"]


@in_loop
async def test_a_leader_without_a_server_steps_down_before_others_step_in() -> None:
    async with world() as w:
        a = w.stand("a")
        await w.quiet()
        w.stand("b")
        await w.pass_time(4)
        w.server.faults.append(Fault("update", times=10**6, code=500))
        w.server.faults.append(Fault("get", times=10**6, code=500))
        began = a.clock.now()
        await w.until(a.running.done)
        assert a.clock.now() - began <= TERMS.renew_deadline + TERMS.retry
        with pytest.raises(errors.LeadershipLost):
            await a.running
        assert w.leaders == []
        w.server.faults.clear()
        await w.pass_time(20)
        assert w.leaders == ["b"]


@in_loop
async def test_a_short_disturbance_costs_nobody_the_lease() -> None:
    async with world() as w:
        w.stand("a")
        await w.quiet()
        w.stand("b")
        await w.pass_time(4)
        w.server.faults.append(Fault("update", times=2, code=503))
        w.server.faults.append(Fault("update", times=1, cut=True))
        await w.pass_time(30)
        assert w.leaders == ["a"]


@in_loop
async def test_a_lease_that_was_deleted_is_made_again() -> None:
    async with world() as w:
        w.stand("a")
        await w.pass_time(1)
        w.server.drop("leases", "lease", "ns")
        await w.pass_time(5)
        assert w.leaders == ["a"]
        assert w.lease["spec"]["holderIdentity"] == "a"


@in_loop
async def test_a_lease_that_somebody_took_by_force_is_lost() -> None:
    async with world() as w:
        a = w.stand("a")
        await w.pass_time(1)
        theirs = {**w.lease, "spec": {**w.lease["spec"], "holderIdentity": "usurper"}}
        w.server.put("leases", theirs)
        await w.until(a.running.done)
        with pytest.raises(errors.LeadershipLost, match="usurper"):
            await a.running


@pytest.mark.parametrize(
    ("spec", "seen_for", "taken"),
    [
        pytest.param({}, 0, True, id="nobody-has-it"),
        pytest.param({"holderIdentity": ""}, 0, True, id="it-was-given-back"),
        pytest.param({"holderIdentity": "me"}, 0, True, id="it-is-ours"),
        pytest.param({"holderIdentity": "x", "leaseDurationSeconds": 15}, 14, False, id="theirs"),
        pytest.param({"holderIdentity": "x", "leaseDurationSeconds": 15}, 15, True, id="run-out"),
        pytest.param({"holderIdentity": "x", "leaseDurationSeconds": 60}, 30, False, id="longer"),
        pytest.param({"holderIdentity": "x"}, 14, False, id="no-duration-stated"),
        pytest.param(
            {
                "holderIdentity": "x",
                "leaseDurationSeconds": 15,
                "renewTime": "1999-01-01T00:00:00Z",
            },
            1,
            False,
            id="the-written-time-does-not-count",
        ),
    ],
)
def test_a_lease_is_taken_only_when_it_is_free(spec: Object, seen_for: float, taken: bool) -> None:
    assert may_take(Sighting(spec, since=100.0), "me", 100.0 + seen_for, TERMS) is taken


@pytest.mark.parametrize("terms", [(15, 15, 2), (10, 15, 2), (15, 10, 10)])
def test_terms_that_allow_two_leaders_are_refused(terms: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="leader election"):
        Terms(*terms)
