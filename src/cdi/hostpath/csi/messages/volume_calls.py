"""The messages of csi.v1.Controller that are about volumes and room for them."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.hostpath.csi.messages.values import (
    CapacityRange,
    Int64Value,
    Topology,
    TopologyRequirement,
    Volume,
    VolumeCapability,
    VolumeCondition,
    VolumeContentSource,
)
from cdi.hostpath.csi.wire import Message, flag, integer, many, mapping, optional, text


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
class ControllerExpandVolumeRequest(Message):
    volume_id: str = text(1)
    capacity_range: CapacityRange | None = optional(2)
    volume_capability: VolumeCapability | None = optional(4)


@dataclass(frozen=True, slots=True)
class ControllerExpandVolumeResponse(Message):
    capacity_bytes: int = integer(1)
    node_expansion_required: bool = flag(2)
