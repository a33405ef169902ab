"""The messages of csi.v1.Identity."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdi.hostpath.csi.messages.values import BoolValue
from cdi.hostpath.csi.wire import Message, choice, many, mapping, optional, text


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
