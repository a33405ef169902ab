"""The messages of csi.v1.Node that are about volumes of a pod, and about the node."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdi.hostpath.csi.messages.values import (
    CapacityRange,
    Topology,
    VolumeCapability,
    VolumeCondition,
)
from cdi.hostpath.csi.wire import Message, choice, flag, integer, many, mapping, optional, text


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
