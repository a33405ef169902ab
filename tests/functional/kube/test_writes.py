"""Writes that may be repeated, and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cdi.kube import apply, connection, correlate, errors, events, objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import PODS
from support.fakeclock import FakeClock, settle
from support.fakekube import FakeKube, Fault
from support.loop import in_loop


def pod(**more: Any) -> Object:
    meta = {"namespace": "ns", "name": "p", **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"n": 1}}


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[FakeKube, Client]]:
    async with FakeKube() as server:
        server.collection("v1", "pods", "Pod")
        clock = FakeClock(skip=60)
        async with Client.to(connection.direct(server.url), clock=clock) as client:
            yield server, client


def writes(server: FakeKube) -> int:
    return server.count("create", "update", "patch", "delete")


@in_loop
async def test_create_or_update_creates_then_updates_then_leaves_alone() -> None:
    async with talking() as (server, client):
        for value, changed in ((5, True), (6, True), (6, False)):

            def mutate(obj: Object, value: int = value) -> None:
                obj["spec"]["n"] = value

            ensured = await apply.create_or_update(client, PODS, pod(), mutate)
            assert ensured.changed is changed
            assert ensured.object["spec"]["n"] == value
        assert writes(server) == 2


@in_loop
async def test_create_or_update_takes_up_what_somebody_else_wrote_meanwhile() -> None:
    async with talking() as (server, client):
        server.put("pods", pod())
        interfering = iter([True, True])

        def interfere(verb: str, _: Object) -> None:
            if verb == "update" and next(interfering, False):
                theirs = dict(server.objects("pods")["ns", "p"])
                server.put("pods", {**theirs, "status": {"theirs": server.version}})

        server.before_write = interfere
        ensured = await apply.create_or_update(
            client, PODS, pod(), lambda obj: obj["spec"].update(n=7)
        )
        assert ensured.object["spec"] == {"n": 7}
        assert "theirs" in ensured.object["status"]
        assert server.count("update") == 3


@in_loop
async def test_create_or_update_does_not_fight_for_ever() -> None:
    async with talking() as (server, client):
        server.put("pods", pod())
        server.faults.append(Fault("update", times=99, code=409))
        with pytest.raises(errors.Conflict):
            await apply.create_or_update(client, PODS, pod(), lambda obj: obj["spec"].update(n=7))
        assert server.count("update") == apply.CONFLICTS


@in_loop
async def test_a_finalizer_is_added_once_and_removed_once() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod(finalizers=["other"]))
        ensured = await apply.ensure_finalizer(client, PODS, seen, "mine")
        assert objects.finalizers(ensured.object) == ["other", "mine"]
        assert not (await apply.ensure_finalizer(client, PODS, ensured.object, "mine")).changed
        assert await apply.ensure_no_finalizer(client, PODS, ensured.object, "mine")
        left = server.objects("pods")["ns", "p"]
        assert objects.finalizers(left) == ["other"]
        assert not await apply.ensure_no_finalizer(client, PODS, left, "mine")
        assert writes(server) == 2


@in_loop
async def test_an_object_on_its_way_out_gets_no_finalizer() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod(deletionTimestamp="2030-01-01T00:00:00Z"))
        assert not (await apply.ensure_finalizer(client, PODS, seen, "mine")).changed


@in_loop
async def test_letting_go_of_what_is_gone_is_fine() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod(finalizers=["mine"]))
        server.drop("pods", "p", "ns")
        assert not await apply.ensure_no_finalizer(client, PODS, seen, "mine")
        assert not await apply.ensure_absent(client, PODS, seen)


@in_loop
async def test_status_is_written_only_where_it_differs_and_only_the_difference() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", {**pod(), "status": {"phase": "Pending", "old": 1}})
        wanted = {"phase": "Running"}
        ensured = await apply.ensure_status(client, PODS, seen, wanted)
        assert ensured.object["status"] == wanted
        assert server.requests[-1].path.endswith("/pods/p/status")
        assert server.requests[-1].body["status"] == {"phase": "Running", "old": None}
        assert not (await apply.ensure_status(client, PODS, ensured.object, wanted)).changed
        assert writes(server) == 1


@in_loop
async def test_a_decision_on_an_old_state_is_refused() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod())
        server.put("pods", {**seen, "spec": {"n": 2}})
        with pytest.raises(errors.Conflict):
            await apply.ensure_status(client, PODS, seen, {"phase": "Running"})


@in_loop
async def test_labels_and_annotations_are_set_and_taken_off() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod(labels={"a": "1", "b": "2"}))
        ensured = await apply.ensure_metadata(
            client, PODS, seen, labels={"a": None, "b": "2", "c": "3"}, annotations={"x": "y"}
        )
        assert objects.labels(ensured.object) == {"b": "2", "c": "3"}
        assert objects.annotations(ensured.object) == {"x": "y"}
        again = await apply.ensure_metadata(
            client, PODS, ensured.object, labels={"a": None}, annotations={"x": "y"}
        )
        assert not again.changed


@in_loop
async def test_a_whole_state_is_reached_by_its_difference() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod())
        await apply.ensure_state(client, PODS, seen, {**seen, "spec": {"m": 2}})
        assert server.objects("pods")["ns", "p"]["spec"] == {"m": 2}
        assert server.requests[-1].body["spec"] == {"n": None, "m": 2}


@in_loop
async def test_a_namesake_made_since_is_spared() -> None:
    async with talking() as (server, client):
        seen = server.put("pods", pod())
        server.drop("pods", "p", "ns")
        server.put("pods", pod())
        assert not await apply.ensure_absent(client, PODS, seen)
        assert len(server.objects("pods")) == 1
        assert await apply.ensure_absent(client, PODS, server.objects("pods")["ns", "p"])


@in_loop
async def test_what_exists_is_not_created_again() -> None:
    async with talking() as (_, client):
        assert (await apply.ensure_created(client, PODS, pod())).changed
        assert not (await apply.ensure_created(client, PODS, pod())).changed


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[FakeKube, events.Recorder]]:
    async with talking() as (server, client):
        server.collection("v1", "events", "Event")
        clock = FakeClock(skip=4.9)
        recorder = events.Recorder(client, "importer", clock=clock)
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))
        yield server, recorder
        stop.set()
        await running


@in_loop
async def test_an_event_reads_as_kubectl_expects_it() -> None:
    async with recording() as (server, recorder):
        recorder.warning({**pod(uid="u")}, "Why", "because")
        await recorder.flush()
        ((namespace, name), event), *rest = server.objects("events").items()
        assert (namespace, name[:2], rest) == ("ns", "p.", [])
        assert event["involvedObject"] == {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "ns",
            "name": "p",
            "uid": "u",
        }
        parts = ("type", "reason", "message", "count", "firstTimestamp", "source")
        assert [event[part] for part in parts] == [
            "Warning",
            "Why",
            "because",
            1,
            "2030-01-01T00:00:00Z",
            {"component": "importer"},
        ]


@in_loop
async def test_a_repeated_event_raises_a_count() -> None:
    async with recording() as (server, recorder):
        for _ in range(3):
            recorder.normal(pod(), "Why", "because")
        await recorder.flush()
        (event,) = server.objects("events").values()
        assert event["count"] == 3


@in_loop
async def test_an_event_that_the_server_forgot_is_written_anew() -> None:
    async with recording() as (server, recorder):
        recorder.normal(pod(), "Why", "because")
        await recorder.flush()
        ((namespace, name),) = server.objects("events")
        server.drop("events", name, namespace)
        recorder.normal(pod(), "Why", "because")
        await recorder.flush()
        (event,) = server.objects("events").values()
        assert event["count"] == 1


@in_loop
async def test_a_flood_does_not_reach_the_server() -> None:
    async with recording() as (server, recorder):
        for _ in range(200):
            recorder.normal(pod(), "Why", "because")
        await recorder.flush()
        assert server.count("create", "patch") == correlate.BURST
        assert recorder.dropped == 200 - correlate.BURST


@pytest.mark.parametrize(
    ("fault", "written"),
    [
        pytest.param(Fault("create", times=3, code=500), 1, id="a-server-in-trouble-is-waited-for"),
        pytest.param(Fault("create", times=99, code=500), 0, id="but-not-for-ever"),
        pytest.param(Fault("create", code=403), 0, id="a-namespace-that-ends-is-not"),
        pytest.param(Fault("create", cut=True), 1, id="a-cut-line-is-tried-again"),
    ],
)
@in_loop
async def test_trouble_with_events_stays_with_the_recorder(fault: Fault, written: int) -> None:
    async with recording() as (server, recorder):
        server.faults.append(fault)
        recorder.normal(pod(), "Why", "because")
        await recorder.flush()
        assert len(server.objects("events")) == written


@in_loop
async def test_nonsense_is_swallowed() -> None:
    async with recording() as (server, recorder):
        recorder.normal({"kind": "Pod"}, "Why", "because")
        recorder.normal({}, "Why", "because")
        await recorder.flush()
        assert server.count("create") == 0


@in_loop
async def test_events_of_the_last_moment_still_go_out() -> None:
    async with talking() as (server, client):
        server.collection("v1", "events", "Event")
        recorder = events.Recorder(client, "importer", clock=FakeClock(skip=4.9))
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))
        await settle()
        stop.set()
        recorder.normal(pod(), "Why", "because")
        await running
        assert len(server.objects("events")) == 1


@in_loop
async def test_a_long_message_is_shortened_and_a_cluster_wide_object_goes_to_default() -> None:
    async with recording() as (server, recorder):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n" * 253}}
        recorder.normal(node, "Why", "x" * 5000)
        await recorder.flush()
        ((namespace, name), event), *_ = server.objects("events").items()
        assert namespace == "default"
        assert len(name) <= 253
        assert len(event["message"]) <= 1024
