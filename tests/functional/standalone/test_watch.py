"""Watches over HTTPS: order, selectors, bookmarks, initial events, the end of the past."""

import asyncio
from collections.abc import Iterator
from itertools import islice

import pytest

from cdi.standalone.store.record import Key
from cdi.standalone.store.store import COMPACT_EVERY
from support import apiserver
from support.apiserver import Running, config_map

PATH = "/api/v1/namespaces/{}/configmaps"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state"), window=50) as running:
        yield running


@pytest.fixture
def maps(server: Running) -> str:
    """The config maps of a fresh, empty namespace."""
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "w-"}})
    path = PATH.format(made["metadata"]["name"])
    with server.watch(path + "?watch=1&resourceVersion=0") as events:
        next(events)  # the CA of the namespace: from here on nothing comes by itself
    server.request("DELETE", path + "/kube-root-ca.crt")
    with server.watch(path + "?watch=1&resourceVersion=0") as events:
        next(events)  # it comes back
    return path


def labelled(name: str, **labels: str) -> dict[str, object]:
    made = config_map(name)
    made["metadata"]["labels"] = labels
    return made


def seen(events: Iterator[dict], count: int) -> list[tuple[str, str]]:
    found = islice(events, count)
    return [(event["type"], event["object"]["metadata"]["name"]) for event in found]


def revision(server: Running, path: str) -> str:
    return server.get(path)["metadata"]["resourceVersion"]


def test_events_follow_the_revision_of_a_list(server, maps):
    since = revision(server, maps)
    server.create(maps, config_map("a"))
    with server.watch(f"{maps}?watch=1&resourceVersion={since}") as events:
        assert seen(events, 1) == [("ADDED", "a")]
        server.request("PUT", maps + "/a", config_map("a", x="1"))
        server.request("DELETE", maps + "/a")
        assert seen(events, 2) == [("MODIFIED", "a"), ("DELETED", "a")]


def test_a_deletion_carries_its_own_revision(server, maps):
    made = server.create(maps, config_map("a"))
    since = made["metadata"]["resourceVersion"]
    server.request("DELETE", maps + "/a")
    with server.watch(f"{maps}?watch=1&resourceVersion={since}") as events:
        gone = next(events)["object"]
    assert int(gone["metadata"]["resourceVersion"]) > int(since)


def test_the_old_way_to_ask_for_a_watch_works(server, maps):
    server.create(maps, config_map("a"))
    path = maps.replace("/api/v1/", "/api/v1/watch/")
    with server.watch(f"{path}?fieldSelector=metadata.name%3Da") as events:
        assert seen(events, 1) == [("ADDED", "a")]


def test_a_watch_of_one_object_sees_only_that(server, maps):
    since = revision(server, maps)
    server.create(maps, config_map("b"))
    server.create(maps, config_map("a"))
    with server.watch(f"{maps}/a?watch=1&resourceVersion={since}") as events:
        assert seen(events, 1) == [("ADDED", "a")]


def test_a_selector_turns_changes_into_comings_and_goings(server, maps):
    since = revision(server, maps)
    query = f"{maps}?watch=1&labelSelector=app%3Dx&resourceVersion={since}"
    with server.watch(query) as events:
        server.create(maps, labelled("other", app="y"))
        server.create(maps, labelled("a", app="x"))
        server.request("PUT", maps + "/a", labelled("a", app="x", more="1"))
        server.request("PUT", maps + "/a", labelled("a", app="y"))
        server.request("PUT", maps + "/a", labelled("a", app="x"))
        server.request("DELETE", maps + "/a")
        expected = ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
        assert seen(events, 5) == [(verb, "a") for verb in expected]


def test_initial_events_end_with_an_annotated_bookmark(server, maps):
    server.create(maps, config_map("a"))
    query = (
        f"{maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true"
    )
    with server.watch(query) as events:
        first = list(islice(events, 3))
        assert [event["type"] for event in first] == ["ADDED", "ADDED", "BOOKMARK"]
        end = first[2]["object"]["metadata"]
        assert end["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(end["resourceVersion"]) >= int(first[0]["object"]["metadata"]["resourceVersion"])
        server.create(maps, config_map("b"))
        assert seen(events, 1) == [("ADDED", "b")]


def test_initial_events_need_to_say_how_old_they_may_be(server, maps):
    answer = server.request("GET", f"{maps}?watch=1&sendInitialEvents=true")
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")


def test_a_watch_ends_when_its_time_is_over(server, maps):
    with server.watch(f"{maps}?watch=1&timeoutSeconds=1&resourceVersion=0") as events:
        assert [event["type"] for event in events] == ["ADDED"]


def test_the_compacted_past_is_answered_with_410(server, maps):
    since = revision(server, maps)

    async def fill() -> None:
        store = server.server.objects.store
        keys = [Key("fillers", "", f"f{n}") for n in range(COMPACT_EVERY + 100)]
        await asyncio.gather(*(store.write(key, {"metadata": {}}, 0) for key in keys))

    server.call(fill())
    with server.watch(f"{maps}?watch=1&resourceVersion={since}") as events:
        event = next(events)
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert next(events, None) is None
    exact = f"{maps}?resourceVersion={since}&resourceVersionMatch=Exact"
    answer = server.request("GET", exact)
    assert (answer.status, answer.json["reason"]) == (410, "Expired")


def test_tables_can_be_watched(server, maps):
    since = revision(server, maps)
    server.create(maps, config_map("a"))
    accept = "application/json;as=Table;g=meta.k8s.io;v=v1"
    with server.watch(f"{maps}?watch=1&resourceVersion={since}", Accept=accept) as events:
        table = next(events)["object"]
        assert (table["kind"], table["rows"][0]["cells"][0]) == ("Table", "a")
        assert table["columnDefinitions"]
        server.create(maps, config_map("b"))
        assert next(events)["object"]["rows"][0]["cells"][0] == "b"


def test_stopping_the_server_ends_its_watches(tmp_path):
    with apiserver.running(tmp_path) as running:
        path = PATH.format("default") + "?watch=1&resourceVersion=0"
        with running.watch(path) as events:
            next(events)
            running.call(running.server.stop())
            assert list(events) == []
