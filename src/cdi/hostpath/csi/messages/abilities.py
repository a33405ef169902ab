"""What the controller and a node can do, and the messages in which they say so."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdi.hostpath.csi.wire import Message, choice, many, optional


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
