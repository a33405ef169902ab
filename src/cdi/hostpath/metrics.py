"""What driver and operator tell Prometheus, under the names that dashboards know."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from cdi.hostpath.keeper import Keeper
from cdi.hostpath.osdisk import shares_disk

_BYTES_LEFT: Final = "kubevirt_hpp_pool_available_bytes"


class DriverMetrics:
    """Gauges, measured whenever they are asked for. `system` is a directory on the node's disk."""

    def __init__(self, keeper: Keeper, system: Path) -> None:
        self._keeper = keeper
        self._registry = CollectorRegistry()
        shared = Gauge(
            "kubevirt_hpp_pool_path_shared_with_os",
            "Whether a storage pool is on the disk of the operating system: 1 if so.",
            registry=self._registry,
        )
        shared.set_function(
            lambda: shares_disk((each.pool.root for each in keeper.pools.values()), system)
        )
        self._present = self._of_pools(
            "kubevirt_hpp_pool_present",
            "Whether a storage pool is there: 1 if so.",
        )
        self._available = self._of_pools(_BYTES_LEFT, "Bytes that a storage pool has left.")
        self._size = self._of_pools("kubevirt_hpp_pool_size_bytes", "Bytes of a storage pool.")

    def _of_pools(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, ("pool",), registry=self._registry)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them. Blocks for as long as the disks do."""
        for name, pool in self._keeper.pools.items():
            try:
                space = pool.space()
            except OSError:
                self._present.labels(name).set(0)
                continue
            self._present.labels(name).set(1)
            self._available.labels(name).set(space.available)
            self._size.labels(name).set(space.size)
        return generate_latest(self._registry)


class OperatorMetrics:
    """Whether the installation is ready: 1, 0 if not, -1 as long as nobody knows."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._ready = Gauge(
            "kubevirt_hpp_cr_ready",
            "Whether the hostpath provisioner can be used.",
            registry=self._registry,
        )
        self._ready.set(-1)

    def readiness(self, value: int) -> None:
        self._ready.set(value)

    def text(self) -> bytes:
        return generate_latest(self._registry)
