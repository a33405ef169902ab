"""
The messages of the Container Storage Interface 1.12, as far as the driver understands them.

Names and numbers are those of the specification (package `csi.v1`). Fields that are not declared,
secrets above all, are not read.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdi.hostpath.csi.wire import (
    Message,
    choice,
    flag,
    integer,
    many,
    mapping,
    optional,
    text,
)

# What is shared.


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


# Identity.


@dataclass(frozen=True, slots=True)
class GetPluginInfoRequest(Message):
    """Who is there?"""


@dataclass(frozen=True, slots=True)
class GetPluginInfoResponse(Message):
    name: str = text(1)
    vendor_version: str = text(2)
    manifest: dict[str, str] = mapping(3)


@dataclass(frozen=True, slots=True)
class GetPluginCapabilitiesRequest(Message):
    """What can it do?"""


class ServiceKind(enum.IntEnum):
    UNKNOWN = 0
    CONTROLLER_SERVICE = 1
    VOLUME_ACCESSIBILITY_CONSTRAINTS = 2


class ExpansionKind(enum.IntEnum):
    UNKNOWN = 0
    ONLINE = 1
    OFFLINE = 2


@dataclass(frozen=True, slots=True)
class Service(Message):
    type: ServiceKind = choice(1, ServiceKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class VolumeExpansion(Message):
    type: ExpansionKind = choice(1, ExpansionKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class PluginCapability(Message):
    """One of both."""

    service: Service | None = optional(1)
    volume_expansion: VolumeExpansion | None = optional(2)


@dataclass(frozen=True, slots=True)
class GetPluginCapabilitiesResponse(Message):
    capabilities: list[PluginCapability] = many(1)


@dataclass(frozen=True, slots=True)
class ProbeRequest(Message):
    """Is it well?"""


@dataclass(frozen=True, slots=True)
class ProbeResponse(Message):
    ready: BoolValue | None = optional(1)


# Controller.


@dataclass(frozen=True, slots=True)
class CreateVolumeRequest(Message):
    name: str = text(1)
    capacity_range: CapacityRange | None = optional(2)
    volume_capabilities: list[VolumeCapability] = many(3)
    parameters: dict[str, str] = mapping(4)
    volume_content_source: VolumeContentSource | None = optional(6)
    accessibility_requirements: TopologyRequirement | None = optional(7)


@dataclass(frozen=True, slots=True)
class CreateVolumeResponse(Message):
    volume: Volume | None = optional(1)


@dataclass(frozen=True, slots=True)
class DeleteVolumeRequest(Message):
    volume_id: str = text(1)


@dataclass(frozen=True, slots=True)
class DeleteVolumeResponse(Message):
    """It is gone."""


@dataclass(frozen=True, slots=True)
class ValidateVolumeCapabilitiesRequest(Message):
    volume_id: str = text(1)
    volume_context: dict[str, str] = mapping(2)
    volume_capabilities: list[VolumeCapability] = many(3)
    parameters: dict[str, str] = mapping(4)


@dataclass(frozen=True, slots=True)
class Confirmed(Message):
    volume_context: dict[str, str] = mapping(1)
    volume_capabilities: list[VolumeCapability] = many(2)
    parameters: dict[str, str] = mapping(3)


@dataclass(frozen=True, slots=True)
class ValidateVolumeCapabilitiesResponse(Message):
    confirmed: Confirmed | None = optional(1)
    message: str = text(2)


@dataclass(frozen=True, slots=True)
class ListVolumesRequest(Message):
    max_entries: int = integer(1)
    starting_token: str = text(2)


@dataclass(frozen=True, slots=True)
class VolumeStatus(Message):
    published_node_ids: list[str] = many(1)
    volume_condition: VolumeCondition | None = optional(2)


@dataclass(frozen=True, slots=True)
class VolumeEntry(Message):
    volume: Volume | None = optional(1)
    status: VolumeStatus | None = optional(2)


@dataclass(frozen=True, slots=True)
class ListVolumesResponse(Message):
    entries: list[VolumeEntry] = many(1)
    next_token: str = text(2)


@dataclass(frozen=True, slots=True)
class ControllerGetVolumeRequest(Message):
    volume_id: str = text(1)


@dataclass(frozen=True, slots=True)
class ControllerGetVolumeResponse(Message):
    volume: Volume | None = optional(1)
    status: VolumeStatus | None = optional(2)


@dataclass(frozen=True, slots=True)
class GetCapacityRequest(Message):
    volume_capabilities: list[VolumeCapability] = many(1)
    parameters: dict[str, str] = mapping(2)
    accessible_topology: Topology | None = optional(3)


@dataclass(frozen=True, slots=True)
class GetCapacityResponse(Message):
    available_capacity: int = integer(1)
    maximum_volume_size: Int64Value | None = optional(2)
    minimum_volume_size: Int64Value | None = optional(3)


@dataclass(frozen=True, slots=True)
class ControllerGetCapabilitiesRequest(Message):
    """What can the controller do?"""


class ControllerAbility(enum.IntEnum):
    UNKNOWN = 0
    CREATE_DELETE_VOLUME = 1
    LIST_VOLUMES = 3
    GET_CAPACITY = 4
    CREATE_DELETE_SNAPSHOT = 5
    LIST_SNAPSHOTS = 6
    CLONE_VOLUME = 7
    EXPAND_VOLUME = 9
    VOLUME_CONDITION = 11
    GET_VOLUME = 12
    SINGLE_NODE_MULTI_WRITER = 13
    GET_SNAPSHOT = 15


@dataclass(frozen=True, slots=True)
class ControllerRpc(Message):
    type: ControllerAbility = choice(1, ControllerAbility.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ControllerServiceCapability(Message):
    rpc: ControllerRpc | None = optional(1)


@dataclass(frozen=True, slots=True)
class ControllerGetCapabilitiesResponse(Message):
    capabilities: list[ControllerServiceCapability] = many(1)


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


@dataclass(frozen=True, slots=True)
class ControllerExpandVolumeRequest(Message):
    volume_id: str = text(1)
    capacity_range: CapacityRange | None = optional(2)
    volume_capability: VolumeCapability | None = optional(4)


@dataclass(frozen=True, slots=True)
class ControllerExpandVolumeResponse(Message):
    capacity_bytes: int = integer(1)
    node_expansion_required: bool = flag(2)


# Node.


@dataclass(frozen=True, slots=True)
class NodePublishVolumeRequest(Message):
    volume_id: str = text(1)
    target_path: str = text(4)
    volume_capability: VolumeCapability | None = optional(5)
    readonly: bool = flag(6)
    volume_context: dict[str, str] = mapping(8)


@dataclass(frozen=True, slots=True)
class NodePublishVolumeResponse(Message):
    """It is there."""


@dataclass(frozen=True, slots=True)
class NodeUnpublishVolumeRequest(Message):
    volume_id: str = text(1)
    target_path: str = text(2)


@dataclass(frozen=True, slots=True)
class NodeUnpublishVolumeResponse(Message):
    """It is no longer there."""


@dataclass(frozen=True, slots=True)
class NodeGetVolumeStatsRequest(Message):
    volume_id: str = text(1)
    volume_path: str = text(2)


class UsageUnit(enum.IntEnum):
    UNKNOWN = 0
    BYTES = 1
    INODES = 2


@dataclass(frozen=True, slots=True)
class VolumeUsage(Message):
    available: int = integer(1)
    total: int = integer(2)
    used: int = integer(3)
    unit: UsageUnit = choice(4, UsageUnit.UNKNOWN)


@dataclass(frozen=True, slots=True)
class NodeGetVolumeStatsResponse(Message):
    usage: list[VolumeUsage] = many(1)
    volume_condition: VolumeCondition | None = optional(2)


@dataclass(frozen=True, slots=True)
class NodeGetCapabilitiesRequest(Message):
    """What can the node do?"""


class NodeAbility(enum.IntEnum):
    UNKNOWN = 0
    GET_VOLUME_STATS = 2
    EXPAND_VOLUME = 3
    VOLUME_CONDITION = 4
    SINGLE_NODE_MULTI_WRITER = 5


@dataclass(frozen=True, slots=True)
class NodeRpc(Message):
    type: NodeAbility = choice(1, NodeAbility.UNKNOWN)


@dataclass(frozen=True, slots=True)
class NodeServiceCapability(Message):
    rpc: NodeRpc | None = optional(1)


@dataclass(frozen=True, slots=True)
class NodeGetCapabilitiesResponse(Message):
    capabilities: list[NodeServiceCapability] = many(1)


@dataclass(frozen=True, slots=True)
class NodeGetInfoRequest(Message):
    """Which node is it?"""


@dataclass(frozen=True, slots=True)
class NodeGetInfoResponse(Message):
    node_id: str = text(1)
    max_volumes_per_node: int = integer(2)
    accessible_topology: Topology | None = optional(3)


@dataclass(frozen=True, slots=True)
class NodeExpandVolumeRequest(Message):
    volume_id: str = text(1)
    volume_path: str = text(2)
    capacity_range: CapacityRange | None = optional(3)
    volume_capability: VolumeCapability | None = optional(5)


@dataclass(frozen=True, slots=True)
class NodeExpandVolumeResponse(Message):
    capacity_bytes: int = integer(1)
