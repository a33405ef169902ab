"""The identity service: who the driver is, what it can do, whether it is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.hostpath.csi import messages
from cdi.hostpath.csi.messages import ExpansionKind, PluginCapability, ServiceKind

DRIVER: Final = "kubevirt.io.hostpath-provisioner"
# Which node a volume is on; its value is the node's name.
TOPOLOGY_KEY: Final = "topology.hostpath.csi/node"


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver on one node."""

    name: str
    version: str
    node: str

    @property
    def topology(self) -> messages.Topology:
        return messages.Topology({TOPOLOGY_KEY: self.node})


class Identity:
    """Answers the calls of csi.v1.Identity."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def get_plugin_info(
        self, _: messages.GetPluginInfoRequest
    ) -> messages.GetPluginInfoResponse:
        return messages.GetPluginInfoResponse(self._driver.name, self._driver.version)

    async def get_plugin_capabilities(
        self, _: messages.GetPluginCapabilitiesRequest
    ) -> messages.GetPluginCapabilitiesResponse:
        kinds = (ServiceKind.CONTROLLER_SERVICE, ServiceKind.VOLUME_ACCESSIBILITY_CONSTRAINTS)
        services = [PluginCapability(service=messages.Service(kind)) for kind in kinds]
        online = messages.VolumeExpansion(ExpansionKind.ONLINE)
        return messages.GetPluginCapabilitiesResponse(
            [*services, PluginCapability(volume_expansion=online)]
        )

    async def probe(self, _: messages.ProbeRequest) -> messages.ProbeResponse:
        return messages.ProbeResponse(messages.BoolValue(value=True))
