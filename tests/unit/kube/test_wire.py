"""Bytes and what they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cdi.kube import errors, wire
from cdi.kube.resource import PODS
from support.loop import in_loop


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        pytest.param([b"a\nb\n"], [b"a", b"b"], id="two-in-one"),
        pytest.param([b"a", b"b", b"c\n"], [b"abc"], id="one-in-three"),
        pytest.param([b"a\nb", b"c\nd\n"], [b"a", b"bc", b"d"], id="across-the-seam"),
        pytest.param([b"a\n\n\nb\n"], [b"a", b"b"], id="empty-lines"),
        pytest.param([b"a\nhalf"], [b"a"], id="the-last-one-was-cut"),
        pytest.param([b"x" * 300_000, b"y\n"], [b"x" * 300_000 + b"y"], id="a-long-one"),
        pytest.param([], [], id="none"),
    ],
)
@in_loop
async def test_a_stream_is_cut_into_lines(parts: list[bytes], lines: list[bytes]) -> None:
    assert [line async for line in wire.lines(pieces(*parts))] == lines


def test_list_items_get_the_kind_that_the_server_leaves_out() -> None:
    body = b"""{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}],
               "metadata":{"resourceVersion":"5","continue":"more"}}"""
    page = wire.parse_page(PODS, body)
    assert page.items == [{"metadata": {"name": "a"}, "apiVersion": "v1", "kind": "Pod"}]
    assert (page.resource_version, page.more) == ("5", "more")


def test_a_list_of_nothing_may_be_null() -> None:
    assert wire.parse_page(PODS, b'{"items":null,"metadata":{}}').items == []


def test_an_error_frame_is_raised() -> None:
    frame = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}'
    with pytest.raises(errors.Expired):
        wire.parse_watch_event(frame)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"type":"ADDED"}', id="no-object"),
        pytest.param(b'{"object":{}}', id="no-type"),
        pytest.param(b'{"type":"ADDED","obj', id="half-a-frame"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"\xff", id="not-text"),
    ],
)
def test_a_broken_frame_counts_as_a_broken_connection(line: bytes) -> None:
    with pytest.raises(errors.ConnectionBroken):
        wire.parse_watch_event(line)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        pytest.param(("", "", None, None), {}, id="plain"),
        pytest.param(("u", "", None, None), {"preconditions": {"uid": "u"}}, id="uid"),
        pytest.param(
            ("u", "7", "Foreground", 0),
            {
                "preconditions": {"uid": "u", "resourceVersion": "7"},
                "propagationPolicy": "Foreground",
                "gracePeriodSeconds": 0,
            },
            id="everything",
        ),
    ],
)
def test_delete_options(
    arguments: tuple[str, str, str | None, int | None], options: dict[str, object]
) -> None:
    header = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert wire.delete_options(*arguments) == header | options
