"""What the driver is told by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdi.hostpath.csi.identity import Driver
from cdi.hostpath.pools import PoolSettings
from cdi.hostpath.provisioning.capacities import Place


@dataclass(frozen=True, slots=True)
class Registering:
    """That the driver makes itself known to the kubelet."""

    directory: Path  # of the kubelet's plugin sockets, as we see it
    endpoint: str  # the driver's socket, as the kubelet sees it


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """How the driver of one node works."""

    driver: Driver
    socket: Path
    pools: tuple[PoolSettings, ...]
    registering: Registering | None = None
    provisions: bool = False  # volumes for claims, without sidecars
    place: Place | None = None  # where capacity is published
