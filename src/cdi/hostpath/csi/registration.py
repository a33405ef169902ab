"""
What the kubelet is told, so that it knows the driver: pluginregistration.v1.

The kubelet finds a socket in its directory of plugins, asks who is there, calls the driver at the
endpoint that it is told, and says how that went.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.hostpath.csi.server import Method, Services, SocketServer
from cdi.hostpath.csi.wire import Message, flag, many, text

log = logging.getLogger(__name__)

_VERSIONS: Final = ["1.0.0"]  # of the interface that the kubelet speaks


@dataclass(frozen=True, slots=True)
class InfoRequest(Message):
    """Who is there?"""


@dataclass(frozen=True, slots=True)
class PluginInfo(Message):
    type: str = text(1)
    name: str = text(2)
    endpoint: str = text(3)
    supported_versions: list[str] = many(4)


@dataclass(frozen=True, slots=True)
class RegistrationStatus(Message):
    plugin_registered: bool = flag(1)
    error: str = text(2)


@dataclass(frozen=True, slots=True)
class RegistrationStatusResponse(Message):
    """It is heard."""


class Registration:
    """Answers pluginregistration.Registration. `endpoint` is as the kubelet sees it."""

    def __init__(self, driver: str, endpoint: str) -> None:
        self._info = PluginInfo("CSIPlugin", driver, endpoint, _VERSIONS)

    async def get_info(self, _: InfoRequest) -> PluginInfo:
        return self._info

    async def notify_registration_status(
        self, status: RegistrationStatus
    ) -> RegistrationStatusResponse:
        if status.plugin_registered:
            log.info("the kubelet knows the driver")
        else:
            log.error("the kubelet refuses the driver", extra={"cause": status.error})
        return RegistrationStatusResponse()

    def services(self) -> Services:
        return {
            "pluginregistration.Registration": {
                "GetInfo": Method(InfoRequest, self.get_info),
                "NotifyRegistrationStatus": Method(
                    RegistrationStatus, self.notify_registration_status
                ),
            }
        }


def registration_server(directory: Path, driver: str, endpoint: str) -> SocketServer:
    """The socket at which the kubelet finds the driver."""
    registration = Registration(driver, endpoint)
    return SocketServer(
        "registration at the kubelet", directory / f"{driver}-reg.sock", registration.services()
    )
