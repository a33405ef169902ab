"""Protobuf's wire format, against protobuf itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from cdi.hostpath.csi import wire
from cdi.hostpath.csi.messages import (
    abilities,
    node_calls,
    plugin_calls,
    snapshot_calls,
    values,
    volume_calls,
)
from support import csi

INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=3)


MESSAGES = {
    name: kind
    for module in (abilities, node_calls, plugin_calls, snapshot_calls, values, volume_calls)
    for name, kind in vars(module).items()
    if dataclasses.is_dataclass(kind)
}


def ours(name: str) -> type[wire.Message]:
    return MESSAGES[name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("CreateVolumeRequest", {
            "name": "pvc-1",
            "capacity_range": {"required_bytes": "1073741824", "limit_bytes": "-1"},
            "volume_capabilities": [csi.MOUNT, csi.BLOCK],
            "parameters": {"storagePool": "local", "": "x"},
            "secrets": {"password": "not read"},
            "volume_content_source": {"snapshot": {"snapshot_id": "snap"}},
            "accessibility_requirements": {"requisite": [{"segments": {"a": "b"}}, {}]},
        }),
        ("CreateVolumeResponse", {"volume": {"capacity_bytes": "5", "volume_id": "v"}}),
        ("ProbeResponse", {"ready": True}),
        ("GetCapacityResponse", {"available_capacity": "1", "maximum_volume_size": "2"}),
        ("Snapshot", {"creation_time": "2026-01-02T03:04:05.500Z", "ready_to_use": True}),
        ("ListVolumesResponse", {"entries": [{"status": {"published_node_ids": ["a", "b"]}}]}),
        ("NodeGetVolumeStatsResponse", {"usage": [{"used": "3", "unit": "INODES"}]}),
    ],
)  # fmt: skip
def test_messages_are_what_protobuf_makes_of_them(name: str, content: dict[str, Any]) -> None:
    theirs = json_format.ParseDict(content, csi.message(name)())
    read = wire.decode(ours(name), theirs.SerializeToString())
    written = csi.message(name).FromString(wire.encode(read))

    if "secrets" in content:
        theirs.ClearField("secrets")
    assert written == theirs


@given(INTEGERS, INTEGERS, TEXTS, MAPS)
def test_values_survive(size: int, limit: int, name: str, context: dict[str, str]) -> None:
    volume = values.Volume(size, name, context)
    span = values.CapacityRange(size, limit)

    assert wire.decode(values.Volume, wire.encode(volume)) == volume
    assert wire.decode(values.CapacityRange, wire.encode(span)) == span
    theirs = csi.message("Volume").FromString(wire.encode(volume))
    assert (theirs.capacity_bytes, theirs.volume_id, dict(theirs.volume_context)) == (
        size,
        name,
        context,
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    for kind in (volume_calls.CreateVolumeRequest, node_calls.NodePublishVolumeRequest):
        try:
            found = wire.decode(kind, data)
        except wire.Malformed:
            continue
        assert isinstance(found, kind)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # no length
        b"\x0a\x05abc",  # ends early
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length without end
        b"\x0a\x01\xff",  # no UTF-8
        b"\x08\x01",  # a number for a text
        b"\x0b",  # a group
    ],
)
def test_what_is_no_message_is_malformed(data: bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(volume_calls.CreateVolumeRequest, data)


def test_unknown_fields_and_values_are_passed_over() -> None:
    known = wire.encode(volume_calls.DeleteVolumeRequest("pvc-1"))
    fixed = b"\xa1\x06" + bytes(8) + b"\xa5\x06" + bytes(4) + b"\xa8\x06\x01"
    mode = wire.decode(values.AccessMode, b"\x08\x63")

    assert wire.decode(volume_calls.DeleteVolumeRequest, known + fixed).volume_id == "pvc-1"
    assert mode.mode == values.AccessModeKind.UNKNOWN


def test_numbers_are_those_of_the_specification() -> None:
    for name, kind in MESSAGES.items():
        theirs = csi.definitions()
        if not name.endswith(("Request", "Response")):
            continue
        wanted = theirs.FindMessageTypeByName(f"csi.v1.{name}").fields_by_name
        have = {each.name: each.metadata["number"] for each in dataclasses.fields(kind)}
        assert {field: wanted[field].number for field in have} == have
