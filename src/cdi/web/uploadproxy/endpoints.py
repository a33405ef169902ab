"""Where the upload server behind a Service is: a cluster's DNS says so, or somebody who knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

PORT: Final = 8443


class NoEndpoint(Exception):
    """Nothing is behind the Service at the moment; says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect to, and whose certificate has to be shown there."""

    host: str
    port: int
    server_name: str


class Endpoints(Protocol):
    """Finds upload servers."""

    async def locate(self, namespace: str, service: str) -> Endpoint:
        """The server behind a Service. Raises NoEndpoint."""


class ClusterEndpoints:
    """Servers of a cluster, by the names that its DNS gives to Services."""

    async def locate(self, namespace: str, service: str) -> Endpoint:
        name = f"{service}.{namespace}.svc"
        return Endpoint(name, PORT, name)
