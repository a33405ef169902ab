"""The messages of csi.v1.Controller that are about snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.hostpath.csi.messages.values import Snapshot
from cdi.hostpath.csi.wire import Message, integer, many, mapping, optional, text


@dataclass(frozen=True, slots=True)
class CreateSnapshotRequest(Message):
    source_volume_id: str = text(1)
    name: str = text(2)
    parameters: dict[str, str] = mapping(4)


@dataclass(frozen=True, slots=True)
class CreateSnapshotResponse(Message):
    snapshot: Snapshot | None = optional(1)


@dataclass(frozen=True, slots=True)
class DeleteSnapshotRequest(Message):
    snapshot_id: str = text(1)


@dataclass(frozen=True, slots=True)
class DeleteSnapshotResponse(Message):
    """It is gone."""


@dataclass(frozen=True, slots=True)
class ListSnapshotsRequest(Message):
    max_entries: int = integer(1)
    starting_token: str = text(2)
    source_volume_id: str = text(3)
    snapshot_id: str = text(4)


@dataclass(frozen=True, slots=True)
class SnapshotEntry(Message):
    snapshot: Snapshot | None = optional(1)


@dataclass(frozen=True, slots=True)
class ListSnapshotsResponse(Message):
    entries: list[SnapshotEntry] = many(1)
    next_token: str = text(2)


@dataclass(frozen=True, slots=True)
class GetSnapshotRequest(Message):
    snapshot_id: str = text(1)


@dataclass(frozen=True, slots=True)
class GetSnapshotResponse(Message):
    snapshot: Snapshot | None = optional(1)
