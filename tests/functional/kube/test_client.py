"""The verbs, against a server on the loopback interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from cdi.kube import connection, errors
from cdi.kube.client import Client, Patch, Propagation
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, NODES, PODS
from cdi.kube.transport import Request, Settings
from support.fakeclock import FakeClock
from support.fakekube import FakeKube, Fault
from support.loop import in_loop


def config(name: str = "a", **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": "ns"}, "data": data}


@asynccontextmanager
async def talking(
    settings: Settings | None = None, clock: FakeClock | None = None
) -> AsyncIterator[tuple[FakeKube, Client]]:
    async with FakeKube() as server:
        server.collection("v1", "configmaps", "ConfigMap")
        clock = clock or FakeClock(skip=60)
        async with Client.to(
            connection.direct(server.url, "secret"), settings, clock=clock, field_manager="me"
        ) as client:
            yield server, client


@in_loop
async def test_an_object_is_made_read_changed_and_deleted() -> None:
    async with talking() as (_, client):
        made = await client.create(CONFIG_MAPS, config(key="1"))
        assert made["metadata"]["uid"]
        made["data"]["key"] = "2"
        changed = await client.update(CONFIG_MAPS, made)
        assert await client.get(CONFIG_MAPS, "a", "ns") == changed
        await client.delete(CONFIG_MAPS, "a", "ns")
        with pytest.raises(errors.NotFound):
            await client.get(CONFIG_MAPS, "a", "ns")


@in_loop
async def test_an_old_state_cannot_overwrite_a_newer_one() -> None:
    async with talking() as (_, client):
        made = await client.create(CONFIG_MAPS, config(key="1"))
        await client.update(CONFIG_MAPS, {**made, "data": {"key": "2"}})
        with pytest.raises(errors.Conflict):
            await client.update(CONFIG_MAPS, {**made, "data": {"key": "3"}})


@in_loop
async def test_a_name_can_be_taken_once() -> None:
    async with talking() as (_, client):
        await client.create(CONFIG_MAPS, config())
        with pytest.raises(errors.AlreadyExists):
            await client.create(CONFIG_MAPS, config())


@in_loop
async def test_a_dry_run_changes_nothing() -> None:
    async with talking() as (server, client):
        await client.create(CONFIG_MAPS, config(), dry_run=True)
        assert server.objects("configmaps") == {}
        assert server.requests[-1].query["dryRun"] == "All"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(Patch.MERGE, {"data": {"key": "2"}}, id="merge"),
        pytest.param(Patch.STRATEGIC, {"data": {"key": "2"}}, id="strategic"),
        pytest.param(Patch.JSON, [{"op": "replace", "path": "/data/key", "value": "2"}], id="json"),
    ],
)
@in_loop
async def test_a_patch_says_which_kind_it_is(kind: Patch, body: Object) -> None:
    async with talking() as (server, client):
        await client.create(CONFIG_MAPS, config(key="1"))
        patched = await client.patch(CONFIG_MAPS, "a", "ns", body, kind)
        assert patched["data"] == {"key": "2"}
        assert server.requests[-1].content_type == kind
        assert server.requests[-1].query == {"fieldManager": "me"}


@in_loop
async def test_server_side_apply_makes_and_changes() -> None:
    async with talking() as (server, client):
        for value in ("1", "2"):
            applied = await client.apply(CONFIG_MAPS, config(key=value), force=True)
            assert applied["data"] == {"key": value}
        sent = server.requests[-1]
        assert sent.content_type == "application/apply-patch+yaml"
        assert sent.query == {"fieldManager": "me", "force": "true"}
        assert (sent.body["apiVersion"], sent.body["kind"]) == ("v1", "ConfigMap")


@in_loop
async def test_a_deletion_can_insist_on_one_incarnation() -> None:
    async with talking() as (server, client):
        await client.create(CONFIG_MAPS, config())
        with pytest.raises(errors.Conflict):
            await client.delete(CONFIG_MAPS, "a", "ns", uid="another")
        await client.delete(CONFIG_MAPS, "a", "ns", propagation=Propagation.FOREGROUND)
        assert server.requests[-1].body["propagationPolicy"] == "Foreground"


@in_loop
async def test_all_of_a_kind_can_be_deleted() -> None:
    async with talking() as (server, client):
        for name in "abc":
            await client.create(CONFIG_MAPS, config(name))
        await client.delete_all(CONFIG_MAPS, "ns")
        assert server.objects("configmaps") == {}


@in_loop
async def test_a_subresource_is_written_by_itself() -> None:
    async with talking() as (server, client):
        node = server.put(
            "nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {}}
        )
        changed = {**node, "spec": {"x": 1}, "status": {"phase": "Ready"}}
        answer = await client.update(NODES, changed, subresource="status")
        assert (answer["spec"], answer["status"]) == ({}, {"phase": "Ready"})
        assert server.requests[-1].path == "/api/v1/nodes/n/status"


@in_loop
async def test_a_list_comes_in_pages_of_one_moment() -> None:
    async with talking() as (_, client):
        for number in range(7):
            await client.create(CONFIG_MAPS, config(f"c-{number}"))
        pages = client.pages(CONFIG_MAPS, limit=3)
        async with aclosing(pages):
            seen = [page async for page in pages]
        assert [len(page.items) for page in seen] == [3, 3, 1]
        assert len({page.resource_version for page in seen}) == 1
        assert all(item["kind"] == "ConfigMap" for page in seen for item in page.items)


@in_loop
async def test_a_list_can_be_narrowed() -> None:
    async with talking() as (server, client):
        for number in range(3):
            obj = config(f"c-{number}")
            obj["metadata"]["labels"] = {"number": str(number)}
            await client.create(CONFIG_MAPS, obj)
        narrow = {"labels": "number=1", "fields": "metadata.name=c-1"}
        (found,) = await client.list(CONFIG_MAPS, "ns", **narrow)
        assert found["metadata"]["name"] == "c-1"
        assert server.requests[-1].query["fieldSelector"] == "metadata.name=c-1"
        narrow["fields"] = "metadata.name=x"
        assert await client.list(CONFIG_MAPS, "ns", **narrow) == []


@in_loop
async def test_a_watch_tells_what_happens() -> None:
    async with talking() as (server, client):
        made = await client.create(CONFIG_MAPS, config())
        await client.delete(CONFIG_MAPS, "a", "ns")
        await server.bookmark()
        watch = client.watch(CONFIG_MAPS, resource_version="0", timeout_seconds=30)
        seen = []
        async with aclosing(watch):
            async for event in watch:
                seen.append(event)
                if event.type == "BOOKMARK":
                    break
        assert [event.type for event in seen] == ["ADDED", "DELETED", "BOOKMARK"]
        assert seen[0].object == made
        assert server.requests[-1].query["timeoutSeconds"] == "30"


@in_loop
async def test_only_metadata_can_be_asked_for() -> None:
    async with talking() as (server, client):
        await client.list(PODS, metadata_only=True)
        assert "as=PartialObjectMetadataList;" in server.requests[-1].headers["Accept"]


@in_loop
async def test_a_pods_log_is_read_as_it_is() -> None:
    async with talking() as (server, client):
        server.raw["/api/v1/namespaces/ns/pods/p/log"] = b"one\ntwo\n"
        log = b"".join([piece async for piece in client.logs("p", "ns", tail_lines=0)])
        assert log == b"one\ntwo\n"
        assert server.requests[-1].query == {"tailLines": "0"}


@in_loop
async def test_what_no_verb_covers_goes_raw() -> None:
    async with talking() as (server, client):
        server.raw["/version"] = b'{"major":"1"}'
        assert await client.raw("GET", "/version") == b'{"major":"1"}'


@in_loop
async def test_requests_say_who_asks_and_with_which_token() -> None:
    async with talking(Settings(user_agent="importer/1")) as (server, client):
        await client.list(PODS)
        headers = server.requests[-1].headers
        assert headers["User-Agent"] == "importer/1"
        assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("get", times=2, code=429, retry_after=1), id="a-read-sent-away"),
        pytest.param(Fault("create", times=2, code=429, retry_after=1), id="a-write-sent-away"),
        pytest.param(Fault("get", times=2, code=503, retry_after=1), id="a-read-while-unavailable"),
    ],
)
@in_loop
async def test_a_request_that_was_sent_away_is_repeated(fault: Fault) -> None:
    clock = FakeClock(skip=60)
    async with talking(clock=clock) as (server, client):
        server.faults.append(fault)
        made = await client.create(CONFIG_MAPS, config())
        assert await client.get(CONFIG_MAPS, "a", "ns") == made
        assert server.count(fault.verb) == 3
        assert clock.now() >= 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            Fault("create", code=503, retry_after=1), errors.Unavailable, id="perhaps-carried-out"
        ),
        pytest.param(Fault("create", code=500), errors.InternalError, id="failed"),
        pytest.param(Fault("create", code=429), errors.TooManyRequests, id="no-time-stated"),
        pytest.param(
            Fault("create", code=429, retry_after=300), errors.TooManyRequests, id="too-long"
        ),
        pytest.param(Fault("create", cut=True), errors.ConnectionBroken, id="cut"),
    ],
)
@in_loop
async def test_a_write_that_may_have_happened_is_not_repeated(
    fault: Fault, error: type[errors.KubeError]
) -> None:
    async with talking() as (server, client):
        server.faults.append(fault)
        with pytest.raises(error):
            await client.create(CONFIG_MAPS, config())
        assert server.count("create") == 1


@in_loop
async def test_a_server_that_is_not_there_is_asked_a_few_times() -> None:
    clock = FakeClock(skip=60)
    async with FakeKube() as server:
        url = server.url
    async with Client.to(connection.direct(url), clock=clock) as client:
        with pytest.raises(errors.ConnectFailed):
            await client.create(CONFIG_MAPS, config())
    assert len(clock.sleeps) == Settings().attempts - 1


@in_loop
async def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    async with talking(Settings(request_timeout=0.05)) as (server, client):
        server.faults.append(Fault("get", stall=True))
        with pytest.raises(errors.TimedOut):
            await client.get(CONFIG_MAPS, "a", "ns")


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []

    def answered(self, request: Request, code: int, seconds: float) -> None:
        self.answers.append((request.method, code))


@in_loop
async def test_every_attempt_is_told_to_the_observer() -> None:
    told = Told()
    async with FakeKube() as server:
        server.faults += [Fault("create", code=429, retry_after=1), Fault("patch", cut=True)]
        credentials = connection.direct(server.url)
        async with Client.to(credentials, clock=FakeClock(skip=60), observer=told) as client:
            await client.create(CONFIG_MAPS, config())
            with pytest.raises(errors.ConnectionBroken):
                await client.patch(CONFIG_MAPS, "a", "ns", {})
    assert told.answers == [("POST", 429), ("POST", 200), ("PATCH", 0)]


@in_loop
async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with talking() as (server, client):
        for name in "abc":
            await client.create(CONFIG_MAPS, config(name))
            await client.list(CONFIG_MAPS)
            with pytest.raises(errors.NotFound):
                await client.get(CONFIG_MAPS, "missing", "ns")
        assert len({seen.peer for seen in server.requests}) == 1


@in_loop
async def test_requests_keep_to_the_rate() -> None:
    clock = FakeClock(skip=60)
    async with talking(Settings(rate=10, burst=2), clock) as (_, client):
        for _ in range(7):
            await client.list(PODS)
        assert clock.now() == pytest.approx(0.5)
        for _ in range(5):
            await client.unthrottled().list(PODS)
        assert clock.now() == pytest.approx(0.5)
