"""The cache: what it finds, and what each write means for others."""

from __future__ import annotations

import pytest

from cdi.kube.cache import Cache
from cdi.kube.objects import Key, Object
from cdi.kube.selectors import parse_selector


def obj(
    name: str, namespace: str = "ns", version: str = "1", uid: str = "", **labels: str
) -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "resourceVersion": version,
            "labels": labels,
        }
    }


def by_app(seen: Object) -> list[str]:
    return seen["metadata"]["labels"]["app"].split(".")


A1 = obj("a", version="1", app="x")
A2 = obj("a", version="2", app="y.z")
A_AGAIN = obj("a", version="9", uid="other", app="x")
B1 = obj("b", version="1", app="x")
C1 = obj("c", namespace="other", app="y")


@pytest.mark.parametrize(
    ("have", "fresh", "expected"),
    [
        pytest.param([], [A1], [("added", None, A1)], id="new"),
        pytest.param([A1], [A1], [], id="the-same"),
        pytest.param([A1], [dict(A1)], [], id="the-same-version-read-again"),
        pytest.param([A1], [A2], [("updated", A1, A2)], id="changed"),
        pytest.param([A1, B1], [B1], [("deleted", A1, None)], id="vanished"),
        pytest.param([A1], [], [("deleted", A1, None)], id="all-vanished"),
        pytest.param(
            [A1],
            [A_AGAIN],
            [("deleted", A1, None), ("added", None, A_AGAIN)],
            id="made-again-under-the-same-name",
        ),
        pytest.param(
            [A1, B1],
            [A2, C1],
            [("deleted", B1, None), ("updated", A1, A2), ("added", None, C1)],
            id="all-at-once-deletions-first",
        ),
    ],
)
def test_a_complete_list_means(
    have: list[Object], fresh: list[Object], expected: list[tuple[str, Object, Object]]
) -> None:
    cache = Cache()
    cache.replace(have)
    changes = cache.replace(fresh)
    assert [(change.type, change.old, change.new) for change in changes] == expected
    assert cache.list() == fresh


def test_a_deletion_tells_the_last_state_that_the_server_saw() -> None:
    cache = Cache()
    cache.upsert(A1)
    (change,) = cache.remove(A2)
    assert (change.type, change.old, change.new) == ("deleted", A2, None)
    assert cache.remove(A2) == ()


@pytest.mark.parametrize(
    ("namespace", "selector", "names"),
    [
        pytest.param(None, "", "abc", id="everything"),
        pytest.param("ns", "", "ab", id="one-namespace"),
        pytest.param("nowhere", "", "", id="an-empty-namespace"),
        pytest.param(None, "app=x", "ab", id="by-label"),
        pytest.param("other", "app in (x,y)", "c", id="by-both"),
    ],
)
def test_list_finds(namespace: str | None, selector: str, names: str) -> None:
    cache = Cache()
    cache.replace([A1, B1, C1])
    found = cache.list(namespace, parse_selector(selector))
    assert "".join(seen["metadata"]["name"] for seen in found) == names


def test_an_index_follows_every_change() -> None:
    cache = Cache({"app": by_app})
    cache.upsert(A1)
    cache.upsert(B1)
    assert cache.by_index("app", "x") == [A1, B1]
    cache.upsert(A2)
    assert cache.by_index("app", "x") == [B1]
    assert cache.by_index("app", "y") == cache.by_index("app", "z") == [A2]
    cache.remove(A2)
    assert cache.by_index("app", "y") == []


def test_an_index_may_come_late() -> None:
    cache = Cache({"app": by_app})
    cache.replace([A1, C1])
    cache.add_index("namespace", lambda seen: [seen["metadata"]["namespace"]])
    assert cache.by_index("namespace", "other") == [C1]
    assert cache.by_index("app", "x") == [A1]
    cache.remove(C1)
    assert cache.by_index("namespace", "other") == []


def test_an_object_that_an_index_cannot_read_is_kept_all_the_same() -> None:
    cache = Cache({"app": by_app})
    odd = obj("odd")
    cache.upsert(odd)
    assert cache.get(Key("ns", "odd")) is odd
    assert cache.by_index("app", "x") == []


def test_an_unknown_index_is_an_error() -> None:
    with pytest.raises(KeyError):
        Cache().by_index("app", "x")
