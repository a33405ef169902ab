"""
gRPC over a socket: which method is answered by whom, and what becomes of an error.

A part for a `cdi.kube` manager. The socket is for root only, and replaces one that a former
process has left.
"""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import grpc
import grpc.aio

from cdi.hostpath.csi import codes, wire
from cdi.hostpath.csi.codes import Code, Refused
from cdi.hostpath.csi.controller import Controller
from cdi.hostpath.csi.identity import Identity
from cdi.hostpath.csi.messages import (
    abilities,
    node_calls,
    plugin_calls,
    snapshot_calls,
    volume_calls,
)
from cdi.hostpath.csi.node import Node
from cdi.hostpath.keeper import Busy

log = logging.getLogger(__name__)

_GRACE: Final = 5.0  # seconds that calls in hand may still take
_STATUS: Final = {each.value[0]: each for each in grpc.StatusCode}

R = TypeVar("R", bound=wire.Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[R]):
    """What a method takes, and who answers."""

    request: type[R]
    answer: Callable[[R], Awaitable[wire.Message]]


Services = Mapping[str, Mapping[str, Method[Any]]]


def services(identity: Identity, controller: Controller, node: Node) -> Services:
    """The services of the driver, by their names in the specification."""
    return {
        "csi.v1.Identity": {
            "GetPluginInfo": Method(plugin_calls.GetPluginInfoRequest, identity.get_plugin_info),
            "GetPluginCapabilities": Method(
                plugin_calls.GetPluginCapabilitiesRequest, identity.get_plugin_capabilities
            ),
            "Probe": Method(plugin_calls.ProbeRequest, identity.probe),
        },
        "csi.v1.Controller": {
            "CreateVolume": Method(volume_calls.CreateVolumeRequest, controller.create_volume),
            "DeleteVolume": Method(volume_calls.DeleteVolumeRequest, controller.delete_volume),
            "ValidateVolumeCapabilities": Method(
                volume_calls.ValidateVolumeCapabilitiesRequest,
                controller.validate_volume_capabilities,
            ),
            "ListVolumes": Method(volume_calls.ListVolumesRequest, controller.list_volumes),
            "GetCapacity": Method(volume_calls.GetCapacityRequest, controller.get_capacity),
            "ControllerGetCapabilities": Method(
                abilities.ControllerGetCapabilitiesRequest, controller.controller_get_capabilities
            ),
            "CreateSnapshot": Method(
                snapshot_calls.CreateSnapshotRequest, controller.create_snapshot
            ),
            "DeleteSnapshot": Method(
                snapshot_calls.DeleteSnapshotRequest, controller.delete_snapshot
            ),
            "ListSnapshots": Method(snapshot_calls.ListSnapshotsRequest, controller.list_snapshots),
            "GetSnapshot": Method(snapshot_calls.GetSnapshotRequest, controller.get_snapshot),
            "ControllerExpandVolume": Method(
                volume_calls.ControllerExpandVolumeRequest, controller.controller_expand_volume
            ),
            "ControllerGetVolume": Method(
                volume_calls.ControllerGetVolumeRequest, controller.controller_get_volume
            ),
        },
        "csi.v1.Node": {
            "NodePublishVolume": Method(
                node_calls.NodePublishVolumeRequest, node.node_publish_volume
            ),
            "NodeUnpublishVolume": Method(
                node_calls.NodeUnpublishVolumeRequest, node.node_unpublish_volume
            ),
            "NodeGetVolumeStats": Method(
                node_calls.NodeGetVolumeStatsRequest, node.node_get_volume_stats
            ),
            "NodeExpandVolume": Method(node_calls.NodeExpandVolumeRequest, node.node_expand_volume),
            "NodeGetCapabilities": Method(
                abilities.NodeGetCapabilitiesRequest, node.node_get_capabilities
            ),
            "NodeGetInfo": Method(node_calls.NodeGetInfoRequest, node.node_get_info),
        },
    }


class SocketServer:
    """Answers the calls of some services on a Unix socket."""

    def __init__(self, name: str, socket: Path, offered: Services) -> None:
        self.name = name
        self._socket, self._offered = socket, offered
        self._listening = asyncio.Event()

    async def ready(self) -> None:
        """Return once calls are answered."""
        await self._listening.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Answer calls until `stop`; those in hand are answered first."""
        server = grpc.aio.server(maximum_concurrent_rpcs=None)
        for name, methods in self._offered.items():
            handlers = {method: _handler(method, each) for method, each in methods.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        _make_room(self._socket)
        server.add_insecure_port(f"unix:{self._socket}")
        await server.start()
        self._socket.chmod(0o600)
        self._listening.set()
        log.info("answering calls", extra={"socket": str(self._socket)})
        try:
            await stop.wait()
        finally:
            await server.stop(_GRACE)
            self._socket.unlink(missing_ok=True)


def _make_room(socket: Path) -> None:
    socket.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    try:
        if stat.S_ISSOCK(socket.lstat().st_mode):
            socket.unlink()
    except FileNotFoundError:
        pass


def _handler(name: str, method: Method[Any]) -> grpc.RpcMethodHandler:
    async def answer(request: Any, context: grpc.aio.ServicerContext) -> wire.Message:
        try:
            return await method.answer(request)
        except (Refused, Busy, OSError, ValueError) as error:
            code = _code_of(error)
            _note(name, code, error)
            await context.abort(_STATUS[code], codes.message_of(error))
            raise

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=lambda data: wire.decode(method.request, data),
        response_serializer=wire.encode,
    )


def _code_of(error: Exception) -> Code:
    if isinstance(error, Refused):
        return error.code
    return Code.ABORTED if isinstance(error, Busy) else codes.code_of(error)


def _note(name: str, code: Code, error: Exception) -> None:
    unexpected = code in (Code.INTERNAL, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED)
    level = logging.WARNING if unexpected else logging.DEBUG
    extra = {"method": name, "code": code.name, "cause": codes.message_of(error)}
    log.log(level, "a call is refused", extra=extra)
