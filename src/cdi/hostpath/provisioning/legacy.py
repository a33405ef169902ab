"""
Volumes of the legacy provisioner: directories that pods get as hostPath.

    <path>/<volume>            or, with the naming prefix, <path>/<claim>-<volume>

The capacity is that of the file system, the access mode ReadWriteOnce whatever was asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.binding import facts
from cdi.hostpath.pools import Content, rounded
from cdi.hostpath.provisioning import persistent
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.volumes import errors
from cdi.volumes.pool import Mode, Pool

PROVISIONER: Final = "kubevirt.io/hostpath-provisioner"
_IDENTITY: Final = "hostPathProvisionerIdentity"
HOST_NAME: Final = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class LegacySettings:
    """How the legacy provisioner of one node works."""

    node: str
    path: Path
    prefix: bool = False  # directories are called after their claims, too
    name: str = PROVISIONER
    labels: tuple[tuple[str, str], ...] = ()  # of its volumes


class LegacyBackend:
    """Makes and removes the directories. `host_name` is the node's label of that name."""

    def __init__(self, settings: LegacySettings, host_name: str) -> None:
        self._settings, self._host_name = settings, host_name
        self._pool = Pool(settings.path, devices=False, open_to_all=True)

    def prepare(self) -> None:
        """Have the directory. Blocking."""
        self._pool.ensure()
        self._pool.tidy()

    async def make(self, claim: Object, storage_class: Object, content: Content | None) -> Object:
        if content is not None:
            raise ValueError(f"{self._settings.name} cannot fill volumes from {content}")
        space = await asyncio.to_thread(self._pool.space)
        if facts.requested(claim) > space.size:
            raise errors.TooLarge(
                f"{facts.requested(claim)} bytes are more than {self._settings.path} has "
                f"({space.size} bytes)"
            )
        directory = await asyncio.to_thread(
            self._pool.make, self._directory_name(claim), Mode.FILESYSTEM, 0
        )
        volume = persistent.volume_for(
            claim,
            storage_class,
            self._settings.name,
            capacity=max(rounded(space.size), facts.requested(claim)),
            source={"hostPath": {"path": str(directory), "type": ""}},
            affinity={HOST_NAME: self._host_name},
            annotations={
                _IDENTITY: self._settings.name,
                facts.PROVISION_ON_NODE: self._settings.node,
            },
            access_modes=["ReadWriteOnce"],
        )
        if self._settings.labels:
            volume["metadata"]["labels"] = dict(self._settings.labels)
        return volume

    def _directory_name(self, claim: Object) -> str:
        name = facts.volume_name_for(claim)
        return f"{objects.name(claim)}-{name}" if self._settings.prefix else name

    async def grow(self, volume: Object, size: int) -> int:
        raise errors.Unsupported(f"{objects.name(volume)} is a directory, and {size} is no limit")

    async def erase(self, volume: Object) -> None:
        if objects.annotations(volume).get(_IDENTITY) != self._settings.name:
            raise errors.Unsupported(
                f"volume {objects.name(volume)} has no annotation {_IDENTITY}: whose it is, is not "
                "known, and nothing is removed"
            )
        directory = Path(objects.get(volume, "spec", "hostPath", "path", default=""))
        if directory.parent != self._settings.path or not _is_named_after(volume, directory.name):
            raise errors.Unsupported(
                f"{directory} is no directory of volume {objects.name(volume)} in "
                f"{self._settings.path}: nothing is removed"
            )
        await asyncio.to_thread(self._pool.erase, directory.name)

    async def has(self, content: Content) -> bool:
        del content
        return False


def _is_named_after(volume: Object, directory: str) -> bool:
    name = objects.name(volume)
    return directory == name or directory.endswith(f"-{name}")
