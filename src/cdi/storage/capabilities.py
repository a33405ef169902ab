"""
What provisioners can do: the table of `capabilities.toml`, and our own provisioner.

The table is advice for classes of which the administrator says nothing; what a StorageProfile's
spec says always wins (`profile`).
"""

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.storage import local, modes

COPY: Final = "copy"
SNAPSHOT: Final = "snapshot"
CSI_CLONE: Final = "csi-clone"
CLONE_STRATEGIES: Final = (COPY, SNAPSHOT, CSI_CLONE)

PVC_FORMAT: Final = "pvc"  # of boot images
SNAPSHOT_FORMAT: Final = "snapshot"


@dataclass(frozen=True, slots=True)
class Capability:
    """What is known about one key. Empty text means: nothing, the general rules apply."""

    claims: tuple[modes.ClaimProperties, ...] = ()
    clone_strategy: str = ""
    cron_format: str = ""
    minimum: str = ""

    @property
    def recognized(self) -> bool:
        """Whether it is known what claims can have."""
        return bool(self.claims)


NOTHING: Final = Capability()

OURS: Final[Mapping[str, Capability]] = {
    local.PROVISIONER: Capability(claims=local.CLAIMS, clone_strategy=local.CLONE_STRATEGY),
}


def capability_of(key: str) -> Capability:
    """Return what is known about a key; NOTHING where it is not in the table."""
    return OURS.get(key) or table().get(key, NOTHING)


@functools.cache
def table() -> Mapping[str, Capability]:
    """Return what is known about the provisioners of others."""
    text = importlib.resources.files(__package__).joinpath("capabilities.toml").read_text()
    return {key: _parse(row) for key, row in tomllib.loads(text).items()}


def _parse(row: Mapping[str, Any]) -> Capability:
    return Capability(
        claims=tuple(modes.parse_pair(pair) for pair in row.get("claims", "").split()),
        clone_strategy=row.get("clone", ""),
        cron_format=row.get("cron", ""),
        minimum=row.get("minimum", ""),
    )
