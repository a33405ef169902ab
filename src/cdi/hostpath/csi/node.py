"""
The node service: volumes, given to pods and taken from them.

A directory is shown at the target by a bind mount, and so is the device of a Block volume. Nothing
but an empty directory, or the empty file under a device, is ever removed at a target.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from cdi.hostpath.csi import requests
from cdi.hostpath.csi.codes import invalid, missing
from cdi.hostpath.csi.controller import described_condition
from cdi.hostpath.csi.identity import Driver
from cdi.hostpath.csi.messages import abilities, node_calls, values
from cdi.hostpath.csi.messages.abilities import NodeAbility
from cdi.hostpath.csi.messages.node_calls import UsageUnit
from cdi.hostpath.keeper import Keeper, Volume
from cdi.hostpath.pools import Wanted
from cdi.volumes import errors, mounts
from cdi.volumes.pool import Mode

_ABILITIES: Final = (
    NodeAbility.GET_VOLUME_STATS,
    NodeAbility.EXPAND_VOLUME,
    NodeAbility.VOLUME_CONDITION,
    NodeAbility.SINGLE_NODE_MULTI_WRITER,
)
_ALONE: Final = values.AccessMode(values.AccessModeKind.SINGLE_NODE_SINGLE_WRITER)
_TARGET_MODE: Final = 0o750
# Inline volumes without a record are those of an older driver; the kubelet names them so.
_INLINE: Final = re.compile(r"csi-[0-9a-f]{64}")


class Node:
    """Answers the calls of csi.v1.Node."""

    def __init__(self, driver: Driver, keeper: Keeper) -> None:
        self._driver, self._keeper = driver, keeper

    async def node_get_capabilities(
        self, _: abilities.NodeGetCapabilitiesRequest
    ) -> abilities.NodeGetCapabilitiesResponse:
        return abilities.NodeGetCapabilitiesResponse(
            [abilities.NodeServiceCapability(abilities.NodeRpc(each)) for each in _ABILITIES]
        )

    async def node_get_info(
        self, _: node_calls.NodeGetInfoRequest
    ) -> node_calls.NodeGetInfoResponse:
        return node_calls.NodeGetInfoResponse(
            self._driver.node, accessible_topology=self._driver.topology
        )

    async def node_publish_volume(
        self, request: node_calls.NodePublishVolumeRequest
    ) -> node_calls.NodePublishVolumeResponse:
        target = _target(request.volume_id, request.target_path)
        if request.volume_capability is None:
            raise invalid("the request says not how the volume is to be used")
        mode = requests.mode_of([request.volume_capability])
        ephemeral = request.volume_context.get(requests.EPHEMERAL) == "true"
        if ephemeral:
            volume = await self._make_ephemeral(request, mode)
        else:
            volume = await self._keeper.find(request.volume_id)
        if volume.record.mode != mode:
            raise invalid(f"volume {volume.id} is a {volume.record.mode} volume")
        alone = request.volume_capability.access_mode == _ALONE
        try:
            await self._keeper.exclusively(
                volume.id,
                lambda: _publish(volume, target, read_only=request.readonly, alone=alone),
            )
        except BaseException:
            if ephemeral:
                await self._keeper.erase(volume.id)
            raise
        return node_calls.NodePublishVolumeResponse()

    async def _make_ephemeral(
        self, request: node_calls.NodePublishVolumeRequest, mode: Mode
    ) -> Volume:
        if mode == Mode.BLOCK:
            raise invalid("an inline volume is a directory, not a device")
        named = request.volume_context.get(requests.STORAGE_POOL, "")
        pool = self._keeper.pools.get(named) or self._keeper.default_pool()
        return await self._keeper.create(Wanted(request.volume_id, pool.name, mode, ephemeral=True))

    async def node_unpublish_volume(
        self, request: node_calls.NodeUnpublishVolumeRequest
    ) -> node_calls.NodeUnpublishVolumeResponse:
        target = _target(request.volume_id, request.target_path)
        try:
            volume = await self._keeper.find(request.volume_id)
        except errors.Missing:
            await self._keeper.exclusively(request.volume_id, lambda: _unpublish(target))
            return node_calls.NodeUnpublishVolumeResponse()
        await self._keeper.exclusively(volume.id, lambda: _unpublish(target, volume))
        if _is_ephemeral(volume):
            await self._keeper.erase(volume.id)
        return node_calls.NodeUnpublishVolumeResponse()

    async def node_get_volume_stats(
        self, request: node_calls.NodeGetVolumeStatsRequest
    ) -> node_calls.NodeGetVolumeStatsResponse:
        path = _published(request.volume_id, request.volume_path)
        volume = await self._keeper.find(request.volume_id)
        _insist_on(path)
        condition = await self._keeper.condition(volume, path)
        return node_calls.NodeGetVolumeStatsResponse(
            await self._usage(volume), described_condition(condition)
        )

    async def _usage(self, volume: Volume) -> list[node_calls.VolumeUsage]:
        if volume.record.mode == Mode.BLOCK:
            return [node_calls.VolumeUsage(total=volume.capacity, unit=UsageUnit.BYTES)]
        space = await self._keeper.space_of(volume)
        return [
            node_calls.VolumeUsage(
                space.available, space.size, space.size - space.free, UsageUnit.BYTES
            ),
            node_calls.VolumeUsage(
                space.files_available,
                space.files,
                space.files - space.files_available,
                UsageUnit.INODES,
            ),
        ]

    async def node_expand_volume(
        self, request: node_calls.NodeExpandVolumeRequest
    ) -> node_calls.NodeExpandVolumeResponse:
        path = _published(request.volume_id, request.volume_path)
        size, _ = requests.range_of(request.capacity_range)
        volume = await self._keeper.find(request.volume_id)
        _insist_on(path)
        return node_calls.NodeExpandVolumeResponse(await self._keeper.grow(volume.id, size))


def _published(volume: str, path: str) -> Path:
    """Where a volume is said to be."""
    if not volume or not path:
        raise invalid("the request has to name a volume and the place where it is")
    return Path(path)


def _target(volume: str, target: str) -> Path:
    if not volume:
        raise invalid("the request names no volume")
    if not target.startswith("/") or ".." in target.split("/"):
        raise invalid("the request has to name a place for the volume, by its absolute path")
    return Path(target)


def _insist_on(path: Path) -> None:
    if not path.is_absolute() or not os.path.lexists(path):
        raise missing(f"there is nothing at {path}")


def _is_ephemeral(volume: Volume) -> bool:
    unrecorded = volume.record.size == 0 and not volume.record.content
    return volume.record.ephemeral or (unrecorded and bool(_INLINE.fullmatch(volume.id)))


def _publish(volume: Volume, target: Path, *, read_only: bool, alone: bool) -> None:
    pool = volume.pool.pool
    source = pool.existing(volume.id)
    others = [each for each in volume.published() if each != target] if alone else []
    if others:
        raise errors.InUse(f"volume {volume.id} is for one pod, and another has it: {others[0]}")
    if volume.record.mode == Mode.BLOCK:
        pool.attach(volume.id)
        device = pool.device_of(volume.id)
        if device is None:
            raise OSError(f"the device of volume {volume.id} is gone as soon as it was made")
        source = device
        _make_file(target)
    else:
        _make_directory(target)
    mounts.bind(source, target, read_only=read_only)


def _make_directory(target: Path) -> None:
    if not target.is_dir():
        target.mkdir(mode=_TARGET_MODE)


def _make_file(target: Path) -> None:
    if not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))


def _unpublish(target: Path, volume: Volume | None = None) -> None:
    mounts.unmount(target)
    _remove_empty(target)
    if volume is not None and volume.record.mode == Mode.BLOCK:
        pool = volume.pool.pool
        if not volume.published():
            pool.detach(volume.id)


def _remove_empty(target: Path) -> None:
    try:
        status = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(status.st_mode):
        target.rmdir()
    elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
        target.unlink()
    else:
        raise errors.InUse(f"there is something at {target} that is no volume; remove it")
