"""The pools that an object names, and where the driver finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.hostpath.operator import validation
from cdi.hostpath.pools import LEGACY
from cdi.kube import objects
from cdi.kube.objects import Object

OVERLAY_CLASS: Final = "hpp-overlay"  # where a shared pool names no class
_DATA: Final = "data-dir"
_LONGEST_NAME: Final = 63
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


@dataclass(frozen=True, slots=True)
class Pool:
    """A directory of nodes."""

    name: str
    path: str  # on nodes
    volume: str  # what pods call it
    provider: str = ""
    shared: bool = False
    template: Mapping[str, Any] = field(default_factory=dict)  # of the claims that it is on
    overlay_class: str = ""  # of a shared pool

    @property
    def inside(self) -> str:
        """Where the driver finds the directory."""
        return f"/{self.volume}"


def pools_of(provisioner: Object) -> list[Pool]:
    """The pools of an object, in its order."""
    path = objects.get(provisioner, "spec", "pathConfig", "path")
    if path:
        return [Pool(LEGACY, str(path), f"csi-{_DATA}")]
    return [
        Pool(
            each["name"],
            each["path"],
            shortened(each["name"], _DATA),
            each.get("snapshotProvider") or "",
            validation.is_shared(each),
            each.get("pvcTemplate") or {},
            each.get("overlayClassName") or OVERLAY_CLASS,
        )
        for each in objects.get(provisioner, "spec", "storagePools", default=[])
    ]


def is_legacy(provisioner: Object) -> bool:
    return objects.get(provisioner, "spec", "pathConfig") is not None


def driver_argument(pools: list[Pool]) -> str:
    """The pools as the driver is told of them."""
    return json.dumps([_argument(each) for each in pools])


def _argument(pool: Pool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": pool.name, "path": f"{pool.inside}/csi", "shared": pool.shared}
    if pool.template:
        made["mounted"] = True
    if pool.provider:
        made |= {
            "snapshotProvider": pool.provider,
            "snapshotPath": f"{pool.inside}/csi/snapshots",
        }
    return made


def shortened(name: str, ending: str) -> str:
    """`<name>-<ending>`, with a hash in place of what would be too long."""
    whole = f"{name}-{ending}"
    if len(whole) <= _LONGEST_NAME:
        return whole
    rest = f"-{fnv1a(name):08x}-{ending}"
    return name[: _LONGEST_NAME - len(rest)] + rest


def fnv1a(text: str) -> int:
    """The hash of 32 bits that names have always been shortened by."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFF_FFFF
    return value
