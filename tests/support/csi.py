"""
A client of CSI drivers that shares nothing with ours: messages come from `csi.proto`, by protoc.

Requests and answers are dicts as protobuf's JSON form has them, with the names of the
specification.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

HERE = Path(__file__).parent
DEADLINE = 30.0  # seconds after which a call counts as hung

MOUNT = {"mount": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}}
BLOCK = {"block": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}}
ALONE = {"mount": {}, "access_mode": {"mode": "SINGLE_NODE_SINGLE_WRITER"}}


class Refused(Exception):
    """A call was refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@functools.cache
def definitions() -> descriptor_pool.DescriptorPool:
    """What `csi.proto` defines."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        well_known = Path(protoc.__file__).parent / "_proto"
        words = ["protoc", f"-I{HERE}", f"-I{well_known}", "--include_imports"]
        assert protoc.main([*words, f"--descriptor_set_out={made}", str(HERE / "csi.proto")]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def message(name: str) -> Any:
    """The class of a message of the package."""
    return message_factory.GetMessageClass(definitions().FindMessageTypeByName(f"csi.v1.{name}"))


class Client:
    """Calls a driver at its socket."""

    def __init__(self, socket: Path) -> None:
        # Channels to one address share their connections otherwise, those of a driver that has been
        # killed as well.
        own = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=own)

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, timeout: float = DEADLINE, **request: Any) -> dict[str, Any]:
        """Call `Service/Method`; raises Refused."""
        service, _, name = method.partition("/")
        found = definitions().FindServiceByName(f"csi.v1.{service}").FindMethodByName(name)
        asked = message_factory.GetMessageClass(found.input_type)
        answered = message_factory.GetMessageClass(found.output_type)
        sent = json_format.ParseDict(request, asked())
        stub = self._channel.unary_unary(
            f"/csi.v1.{service}/{name}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answered.FromString,
        )
        try:
            answer = stub(sent, timeout=timeout, wait_for_ready=True)
        except grpc.RpcError as error:
            raise Refused(error.code().name, error.details()) from None
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    def create(self, name: str, size: int = 1 << 20, capability: Any = MOUNT, **rest: Any) -> Any:
        """Make a volume, and return it."""
        rest.setdefault("parameters", {"storagePool": "local"})
        return self.call(
            "Controller/CreateVolume",
            name=name,
            capacity_range={"required_bytes": size},
            volume_capabilities=[capability],
            **rest,
        )["volume"]

    def publish(self, volume: str, target: Path, capability: Any = MOUNT, **rest: Any) -> None:
        self.call(
            "Node/NodePublishVolume",
            volume_id=volume,
            target_path=str(target),
            volume_capability=capability,
            **rest,
        )

    def unpublish(self, volume: str, target: Path) -> None:
        self.call("Node/NodeUnpublishVolume", volume_id=volume, target_path=str(target))

    def volumes(self) -> list[str]:
        found = self.call("Controller/ListVolumes").get("entries", [])
        return [each["volume"]["volume_id"] for each in found]
