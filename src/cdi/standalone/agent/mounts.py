"""
A pod's volumes as places of this machine, and what its containers are told about them.

    <pods>/<uid>/volumes/<name>/         Secrets, ConfigMaps and emptyDirs
    <pods>/<uid>/<container>/root/...    links: what the container would find at its mount paths
    <pods>/<uid>/<container>/            pid and termination log

A worker takes all of its paths from `WorkerSettings`, so moving them beneath `root` is all it
takes. Files of Secrets can be read by the user only that workers are, and go with the pod.

Raises Missing for what a volume refers to and does not exist, NotReady for claims that are not
bound yet, Unsupported for kinds of volumes that workers have no use for; OSError.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cdi.api.workersettings import WorkerSettings
from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.standalone.agent import vddk
from cdi.standalone.agent.environment import Lookup, Missing, data_of
from cdi.standalone.agent.workeruser import WorkerUser
from cdi.standalone.volumes import caches
from cdi.standalone.volumes.caches import Caches
from cdi.storage import local, modes
from cdi.volumes.pool import Pool

_PRIVATE = 0o700
_SECRET_FILE = 0o600


class NotReady(Exception):
    """A volume of the pod is still on its way."""


class Unsupported(Exception):
    """A kind of volume that is not offered here."""


class PodDirectory:
    """The directory of one pod."""

    def __init__(self, pods: Path, uid: str) -> None:
        self.path = pods / uid

    def container(self, name: str) -> Path:
        return self.path / name

    def root(self, container: str) -> Path:
        return self.path / container / "root"

    def termination_log(self, container: str) -> Path:
        return self.path / container / "termination-log"

    def volume(self, name: str) -> Path:
        return self.path / "volumes" / name

    def prepare_termination_log(self, container: str, user: WorkerUser | None) -> None:
        """Have an empty file for a worker's last message, which it may write."""
        file = self.termination_log(container)
        file.unlink(missing_ok=True)
        file.touch(mode=_SECRET_FILE, exist_ok=False)
        if user is not None:
            os.chown(file, user.uid, user.gid)

    def remove(self) -> None:
        """Remove it; links to volumes go, the volumes stay."""
        shutil.rmtree(self.path, ignore_errors=True)


def settings_for(directory: PodDirectory, container: str, address: str) -> WorkerSettings:
    """Where a worker in `container` finds everything: where a pod would, but beneath its root."""
    root = directory.root(container)
    usual = WorkerSettings()
    moved: dict[str, Any] = {
        field.name: root / place.relative_to("/")
        for field in dataclasses.fields(WorkerSettings)
        if isinstance(place := getattr(usual, field.name), Path)
    }
    moved["termination_log"] = directory.termination_log(container)
    device = moved["block_device"]
    if device.is_symlink():
        # A worker keeps its journal beside the device, where it has to outlive the pod.
        moved["block_device"] = device.readlink()
    return WorkerSettings(**moved, metrics_address=address)


class Mounter:
    """Prepares the volumes of pods."""

    def __init__(
        self,
        pods: Path,
        pool: Pool,
        seen: Caches,
        library: Path | None = None,
        user: WorkerUser | None = None,
    ) -> None:
        """`library` is where this machine has VMware's library, if it does.

        `user` gets what pods mount, where workers are not the user that we are.
        """
        self._pods, self._pool, self._seen = pods, pool, seen
        self._library, self._user = library, user
        # A pod may begin to use a device while another one lets go of it.
        self._devices = asyncio.Lock()

    def directory(self, uid: str) -> PodDirectory:
        return PodDirectory(self._pods, uid)

    def left(self) -> list[str]:
        """Return the UIDs of the pods that have a directory."""
        return sorted(path.name for path in self._pods.iterdir()) if self._pods.is_dir() else []

    async def release_unused(self) -> None:
        """Detach block devices that no pod of ours uses any longer."""
        used = {
            facts.volume_name(claim)
            for pod in self._seen.pods.cache.list()
            if not caches.has_ended(pod)
            for key in caches.claim_keys(pod)
            if (claim := self._seen.claim(key)) is not None
        }
        for name in await asyncio.to_thread(self._pool.attached):
            if name not in used:
                await asyncio.to_thread(self._pool.detach, name)

    async def mount(self, pod: Object, lookup: Lookup) -> list[Path]:
        """Make everything ready that the pod's containers mount, and theirs; may be repeated.

        Returns the directories that its workers have to come to.
        """
        directory = self.directory(objects.uid(pod))
        places: dict[str, Path] = {}
        for volume in objects.get(pod, "spec", "volumes", default=[]):
            places[volume["name"]] = await self._ready(pod, volume, directory, lookup)
        await asyncio.to_thread(vddk.link, pod, self._library, places)
        for container in pod["spec"]["containers"]:
            await asyncio.to_thread(_link, directory, container, places)
        if self._user is not None:
            await asyncio.to_thread(self._user.read, directory.path)
        volumes = [place if place.is_dir() else place.parent for place in places.values()]
        reach = [path for path in volumes if not path.is_relative_to(directory.path)]
        return [directory.path, *reach, *([self._library] if self._library else [])]

    async def unmount(self, pod: Object) -> None:
        """Take away what the pod had; volumes keep their data."""
        for volume in objects.get(pod, "spec", "volumes", default=[]):
            if key := _claim_key(pod, volume):
                await self._release(pod, key)
        await asyncio.to_thread(self.directory(objects.uid(pod)).remove)

    async def _release(self, pod: Object, claim_key: Key) -> None:
        claim = self._seen.claim(claim_key)
        if claim is None or facts.volume_mode(claim) != modes.BLOCK:
            return
        async with self._devices:
            others = (
                other
                for other in self._seen.pods_of(claim_key)
                if objects.uid(other) != objects.uid(pod) and not caches.has_ended(other)
            )
            if not any(others):
                await asyncio.to_thread(self._pool.detach, facts.volume_name(claim))

    async def _ready(
        self, pod: Object, volume: Object, directory: PodDirectory, lookup: Lookup
    ) -> Path:
        if key := _claim_key(pod, volume):
            return await self._claim(key, directory.volume(volume["name"]))
        place = directory.volume(volume["name"])
        if "emptyDir" in volume:
            place.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            if self._user is not None:
                self._user.own(place)
            return place
        for kind, field, name in (
            ("secret", "secret", "secretName"),
            ("configmap", "configMap", "name"),
        ):
            if source := volume.get(field):
                entries = await _entries(kind, str(source.get(name, "")), source, lookup)
                await asyncio.to_thread(_write, place, entries)
                return place
        raise Unsupported(f'volume "{volume["name"]}" is of a kind that workers do not use')

    async def _claim(self, key: Key, own: Path) -> Path:
        """Where the volume of a claim is; `own` is where the pod may have a device of its own."""
        claim = self._seen.claim(key)
        volume = self._seen.volume(facts.volume_name(claim)) if claim else None
        if claim is None or volume is None or not facts.is_bound(claim):
            raise NotReady(f'persistentvolumeclaim "{key.name}" is not bound')
        if objects.annotations(volume).get(facts.PROVISIONED_BY) != local.PROVISIONER:
            return await asyncio.to_thread(self._made_by_hand, volume, own)
        name = objects.name(volume)
        if facts.volume_mode(claim) == modes.BLOCK:
            async with self._devices:
                return await asyncio.to_thread(self._pool.attach, name)
        place = self._pool.directory(name)
        if not place.is_dir():
            raise Missing(f"the data of volume {name} is missing: {place}")
        if self._user is not None:
            await asyncio.to_thread(self._user.own, place)
        return place

    def _made_by_hand(self, volume: Object, own: Path) -> Path:
        local_path = objects.get(volume, "spec", "local", "path")
        path = local_path or objects.get(volume, "spec", "hostPath", "path")
        if not path:
            name = objects.name(volume)
            raise Unsupported(f"volume {name} is neither local nor hostPath, which is all there is")
        found = Path(path)
        if not found.exists():
            raise Missing(f"{path} does not exist")
        if self._user is None:
            return found
        if found.is_block_device():
            return self._user.node(found, own)
        if local_path:  # as a kubelet does for the group of a pod; a hostPath it leaves alone
            self._user.join(found)
        return found


def _claim_key(pod: Object, volume: Object) -> Key | None:
    name = objects.get(volume, "persistentVolumeClaim", "claimName")
    return Key(objects.namespace(pod), str(name)) if name else None


async def _entries(kind: str, name: str, source: Object, lookup: Lookup) -> dict[str, bytes]:
    found = await lookup(kind, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise Missing(f'{kind} "{name}" not found')
    data = data_of(kind, found)
    items: Iterable[dict[str, Any]] = source.get("items") or [
        {"key": key, "path": key} for key in data
    ]
    entries = {}
    for item in items:
        if item["key"] not in data:
            raise Missing(f'{kind} "{name}" has no key "{item["key"]}"')
        entries[str(item["path"])] = data[item["key"]]
    return entries


def _write(place: Path, entries: dict[str, bytes]) -> None:
    place.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    for name, content in entries.items():
        path = place / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise Unsupported(f"{name!r} leads out of the volume")
        path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        path.touch(mode=_SECRET_FILE)
        path.write_bytes(content)


def _link(directory: PodDirectory, container: Object, places: dict[str, Path]) -> None:
    root = directory.root(container["name"])
    root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    mounted = [(mount["mountPath"], mount) for mount in container.get("volumeMounts") or []] + [
        (device["devicePath"], device) for device in container.get("volumeDevices") or []
    ]
    for path, mount in mounted:
        link = root / str(path).strip("/")
        if ".." in link.parts:
            raise Unsupported(f"{path!r} is no mount path")
        link.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        target = places[mount["name"]]
        if sub := mount.get("subPath"):
            raise Unsupported(f"subPath {sub!r} is not offered")
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)
