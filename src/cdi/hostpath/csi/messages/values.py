"""What messages of all services are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdi.hostpath.csi.wire import Message, choice, flag, integer, many, mapping, optional, text


@dataclass(frozen=True, slots=True)
class BoolValue(Message):
    """google.protobuf.BoolValue."""

    value: bool = flag(1)


@dataclass(frozen=True, slots=True)
class Int64Value(Message):
    """google.protobuf.Int64Value."""

    value: int = integer(1)


@dataclass(frozen=True, slots=True)
class Timestamp(Message):
    """google.protobuf.Timestamp: since 1970."""

    seconds: int = integer(1)
    nanos: int = integer(2)


@dataclass(frozen=True, slots=True)
class CapacityRange(Message):
    """In bytes; 0 says nothing."""

    required_bytes: int = integer(1)
    limit_bytes: int = integer(2)


@dataclass(frozen=True, slots=True)
class BlockVolume(Message):
    """The volume is wanted as a device."""


@dataclass(frozen=True, slots=True)
class MountVolume(Message):
    """The volume is wanted as a directory."""

    fs_type: str = text(1)
    mount_flags: list[str] = many(2)
    volume_mount_group: str = text(3)


class AccessModeKind(enum.IntEnum):
    """Who may use a volume, from where."""

    UNKNOWN = 0
    SINGLE_NODE_WRITER = 1
    SINGLE_NODE_READER_ONLY = 2
    MULTI_NODE_READER_ONLY = 3
    MULTI_NODE_SINGLE_WRITER = 4
    MULTI_NODE_MULTI_WRITER = 5
    SINGLE_NODE_SINGLE_WRITER = 6
    SINGLE_NODE_MULTI_WRITER = 7


@dataclass(frozen=True, slots=True)
class AccessMode(Message):
    mode: AccessModeKind = choice(1, AccessModeKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class VolumeCapability(Message):
    """How a volume is to be used: one of `block` and `mount`."""

    block: BlockVolume | None = optional(1)
    mount: MountVolume | None = optional(2)
    access_mode: AccessMode | None = optional(3)


@dataclass(frozen=True, slots=True)
class SnapshotSource(Message):
    snapshot_id: str = text(1)


@dataclass(frozen=True, slots=True)
class VolumeSource(Message):
    volume_id: str = text(1)


@dataclass(frozen=True, slots=True)
class VolumeContentSource(Message):
    """What a volume holds from the start: one of both."""

    snapshot: SnapshotSource | None = optional(1)
    volume: VolumeSource | None = optional(2)


@dataclass(frozen=True, slots=True)
class Topology(Message):
    segments: dict[str, str] = mapping(1)


@dataclass(frozen=True, slots=True)
class TopologyRequirement(Message):
    requisite: list[Topology] = many(1)
    preferred: list[Topology] = many(2)


@dataclass(frozen=True, slots=True)
class Volume(Message):
    capacity_bytes: int = integer(1)
    volume_id: str = text(2)
    volume_context: dict[str, str] = mapping(3)
    content_source: VolumeContentSource | None = optional(4)
    accessible_topology: list[Topology] = many(5)


@dataclass(frozen=True, slots=True)
class VolumeCondition(Message):
    abnormal: bool = flag(1)
    message: str = text(2)


@dataclass(frozen=True, slots=True)
class Snapshot(Message):
    size_bytes: int = integer(1)
    snapshot_id: str = text(2)
    source_volume_id: str = text(3)
    creation_time: Timestamp | None = optional(4)
    ready_to_use: bool = flag(5)
