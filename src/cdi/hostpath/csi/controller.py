"""
The controller service: volumes and snapshots, made, removed, grown and listed.

It answers for the volumes of this node only. Whoever asks for a volume elsewhere is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.hostpath import conditions
from cdi.hostpath.csi import requests
from cdi.hostpath.csi.codes import invalid
from cdi.hostpath.csi.identity import TOPOLOGY_KEY, Driver
from cdi.hostpath.csi.messages import abilities, snapshot_calls, values, volume_calls
from cdi.hostpath.csi.messages.abilities import ControllerAbility
from cdi.hostpath.keeper import Keeper, Taken, Volume
from cdi.hostpath.pools import rounded
from cdi.volumes import errors

_ABILITIES: Final = (
    ControllerAbility.CREATE_DELETE_VOLUME,
    ControllerAbility.LIST_VOLUMES,
    ControllerAbility.GET_CAPACITY,
    ControllerAbility.CREATE_DELETE_SNAPSHOT,
    ControllerAbility.LIST_SNAPSHOTS,
    ControllerAbility.CLONE_VOLUME,
    ControllerAbility.EXPAND_VOLUME,
    ControllerAbility.VOLUME_CONDITION,
    ControllerAbility.GET_VOLUME,
    ControllerAbility.SINGLE_NODE_MULTI_WRITER,
    ControllerAbility.GET_SNAPSHOT,
)


class Controller:
    """Answers the calls of csi.v1.Controller."""

    def __init__(self, driver: Driver, keeper: Keeper) -> None:
        self._driver, self._keeper = driver, keeper

    async def controller_get_capabilities(
        self, _: abilities.ControllerGetCapabilitiesRequest
    ) -> abilities.ControllerGetCapabilitiesResponse:
        return abilities.ControllerGetCapabilitiesResponse(
            [
                abilities.ControllerServiceCapability(abilities.ControllerRpc(each))
                for each in _ABILITIES
            ]
        )

    # Volumes.

    async def create_volume(
        self, request: volume_calls.CreateVolumeRequest
    ) -> volume_calls.CreateVolumeResponse:
        wanted = requests.wanted_of(request)
        requests.insist_on_node(request.accessibility_requirements, self._driver.node)
        volume = await self._keeper.create(wanted)
        made = self._described(
            volume, request.parameters, request.volume_content_source, wanted.limit
        )
        return volume_calls.CreateVolumeResponse(made)

    async def delete_volume(
        self, request: volume_calls.DeleteVolumeRequest
    ) -> volume_calls.DeleteVolumeResponse:
        await self._keeper.erase(_named(request.volume_id))
        return volume_calls.DeleteVolumeResponse()

    async def validate_volume_capabilities(
        self, request: volume_calls.ValidateVolumeCapabilitiesRequest
    ) -> volume_calls.ValidateVolumeCapabilitiesResponse:
        _named(request.volume_id)
        mode = requests.mode_of(request.volume_capabilities)
        volume = await self._keeper.find(request.volume_id)
        if volume.record.mode != mode:
            return volume_calls.ValidateVolumeCapabilitiesResponse(
                message=f"volume {volume.id} is a {volume.record.mode} volume"
            )
        return volume_calls.ValidateVolumeCapabilitiesResponse(
            volume_calls.Confirmed(
                request.volume_context, request.volume_capabilities, request.parameters
            )
        )

    async def get_capacity(
        self, request: volume_calls.GetCapacityRequest
    ) -> volume_calls.GetCapacityResponse:
        topology = request.accessible_topology
        if topology and topology.segments.get(TOPOLOGY_KEY, self._driver.node) != self._driver.node:
            return volume_calls.GetCapacityResponse()  # there is nothing of ours elsewhere
        pool = self._keeper.pool(requests.pool_of(request.parameters))
        space = await self._keeper.space(pool)
        return volume_calls.GetCapacityResponse(
            available_capacity=space.available,
            maximum_volume_size=values.Int64Value(rounded(space.size)),
            minimum_volume_size=values.Int64Value(0),
        )

    async def list_volumes(
        self, request: volume_calls.ListVolumesRequest
    ) -> volume_calls.ListVolumesResponse:
        volumes = await self._keeper.volumes()
        page, token = requests.page_of(
            volumes, [each.id for each in volumes], request.starting_token, request.max_entries
        )
        return volume_calls.ListVolumesResponse(
            [
                volume_calls.VolumeEntry(self._described(each), await self._status(each))
                for each in page
            ],
            token,
        )

    async def controller_get_volume(
        self, request: volume_calls.ControllerGetVolumeRequest
    ) -> volume_calls.ControllerGetVolumeResponse:
        volume = await self._keeper.find(_named(request.volume_id))
        return volume_calls.ControllerGetVolumeResponse(
            self._described(volume), await self._status(volume)
        )

    async def controller_expand_volume(
        self, request: volume_calls.ControllerExpandVolumeRequest
    ) -> volume_calls.ControllerExpandVolumeResponse:
        _named(request.volume_id)
        size, limit = requests.range_of(request.capacity_range)
        if not size and not limit:
            raise invalid("the request says not how large the volume should be")
        volume = await self._keeper.find(request.volume_id)
        if limit and volume.record.size > limit:
            raise errors.TooLarge(f"volume {volume.id} is larger than {limit} bytes already")
        capacity = await self._keeper.grow(request.volume_id, size)
        # What a pod uses already grows at once, and needs nothing from its node.
        return volume_calls.ControllerExpandVolumeResponse(capacity, node_expansion_required=False)

    def _described(
        self,
        volume: Volume,
        context: Mapping[str, str] | None = None,
        source: values.VolumeContentSource | None = None,
        limit: int = 0,
    ) -> values.Volume:
        return values.Volume(
            capacity_bytes=min(volume.capacity, limit or volume.capacity),
            volume_id=volume.id,
            volume_context=dict(context or {}),
            content_source=source,
            accessible_topology=[] if volume.pool.shared else [self._driver.topology],
        )

    async def _status(self, volume: Volume) -> volume_calls.VolumeStatus:
        condition = await self._keeper.condition(volume)
        return volume_calls.VolumeStatus([self._driver.node], described_condition(condition))

    # Snapshots.

    async def create_snapshot(
        self, request: snapshot_calls.CreateSnapshotRequest
    ) -> snapshot_calls.CreateSnapshotResponse:
        if not request.name or not request.source_volume_id:
            raise invalid("the request has to name a snapshot and a volume")
        pool = request.parameters.get(requests.STORAGE_POOL)
        taken = await self._keeper.take(request.name, request.source_volume_id, pool)
        return snapshot_calls.CreateSnapshotResponse(_described_snapshot(taken))

    async def delete_snapshot(
        self, request: snapshot_calls.DeleteSnapshotRequest
    ) -> snapshot_calls.DeleteSnapshotResponse:
        if not request.snapshot_id:
            raise invalid("the request names no snapshot")
        await self._keeper.erase_snapshot(request.snapshot_id)
        return snapshot_calls.DeleteSnapshotResponse()

    async def get_snapshot(
        self, request: snapshot_calls.GetSnapshotRequest
    ) -> snapshot_calls.GetSnapshotResponse:
        if not request.snapshot_id:
            raise invalid("the request names no snapshot")
        taken = await self._keeper.snapshot(request.snapshot_id)
        return snapshot_calls.GetSnapshotResponse(_described_snapshot(taken))

    async def list_snapshots(
        self, request: snapshot_calls.ListSnapshotsRequest
    ) -> snapshot_calls.ListSnapshotsResponse:
        found = [
            each
            for each in await self._keeper.snapshots()
            if request.snapshot_id in ("", each.snapshot.name)
            and request.source_volume_id in ("", each.snapshot.volume)
        ]
        names = [each.snapshot.name for each in found]
        page, token = requests.page_of(found, names, request.starting_token, request.max_entries)
        entries = [snapshot_calls.SnapshotEntry(_described_snapshot(each)) for each in page]
        return snapshot_calls.ListSnapshotsResponse(entries, token)


def described_condition(condition: conditions.Condition) -> values.VolumeCondition:
    return values.VolumeCondition(condition.abnormal, condition.message)


def _described_snapshot(taken: Taken) -> values.Snapshot:
    snapshot = taken.snapshot
    seconds, rest = divmod(snapshot.taken, 1)
    return values.Snapshot(
        size_bytes=snapshot.size,
        snapshot_id=snapshot.name,
        source_volume_id=snapshot.volume,
        creation_time=values.Timestamp(int(seconds), int(rest * 1e9)),
        ready_to_use=taken.ready,
    )


def _named(volume: str) -> str:
    if not volume:
        raise invalid("the request names no volume")
    return volume
