"""The identity service: who the driver is, what it can do, whether it is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.hostpath.csi.messages import plugin_calls, values
from cdi.hostpath.csi.messages.plugin_calls import ExpansionKind, PluginCapability, ServiceKind

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
    def topology(self) -> values.Topology:
        return values.Topology({TOPOLOGY_KEY: self.node})


class Identity:
    """Answers the calls of csi.v1.Identity."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def get_plugin_info(
        self, _: plugin_calls.GetPluginInfoRequest
    ) -> plugin_calls.GetPluginInfoResponse:
        return plugin_calls.GetPluginInfoResponse(self._driver.name, self._driver.version)

    async def get_plugin_capabilities(
        self, _: plugin_calls.GetPluginCapabilitiesRequest
    ) -> plugin_calls.GetPluginCapabilitiesResponse:
        kinds = (ServiceKind.CONTROLLER_SERVICE, ServiceKind.VOLUME_ACCESSIBILITY_CONSTRAINTS)
        services = [PluginCapability(service=plugin_calls.Service(kind)) for kind in kinds]
        online = plugin_calls.VolumeExpansion(ExpansionKind.ONLINE)
        return plugin_calls.GetPluginCapabilitiesResponse(
            [*services, PluginCapability(volume_expansion=online)]
        )

    async def probe(self, _: plugin_calls.ProbeRequest) -> plugin_calls.ProbeResponse:
        return plugin_calls.ProbeResponse(values.BoolValue(value=True))
