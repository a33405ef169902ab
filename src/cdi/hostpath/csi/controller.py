"""
The controller service: volumes and snapshots, made, removed, grown and listed.

It answers for the volumes of this node only. Whoever asks for a volume elsewhere is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.hostpath import conditions
from cdi.hostpath.csi import messages, requests
from cdi.hostpath.csi.codes import invalid
from cdi.hostpath.csi.identity import TOPOLOGY_KEY, Driver
from cdi.hostpath.csi.messages import ControllerAbility
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
        self, _: messages.ControllerGetCapabilitiesRequest
    ) -> messages.ControllerGetCapabilitiesResponse:
        return messages.ControllerGetCapabilitiesResponse(
            [
                messages.ControllerServiceCapability(messages.ControllerRpc(each))
                for each in _ABILITIES
            ]
        )

    # Volumes.

    async def create_volume(
        self, request: messages.CreateVolumeRequest
    ) -> messages.CreateVolumeResponse:
        wanted = requests.wanted_of(request)
        requests.insist_on_node(request.accessibility_requirements, self._driver.node)
        volume = await self._keeper.create(wanted)
        made = self._described(
            volume, request.parameters, request.volume_content_source, wanted.limit
        )
        return messages.CreateVolumeResponse(made)

    async def delete_volume(
        self, request: messages.DeleteVolumeRequest
    ) -> messages.DeleteVolumeResponse:
        await self._keeper.erase(_named(request.volume_id))
        return messages.DeleteVolumeResponse()

    async def validate_volume_capabilities(
        self, request: messages.ValidateVolumeCapabilitiesRequest
    ) -> messages.ValidateVolumeCapabilitiesResponse:
        _named(request.volume_id)
        mode = requests.mode_of(request.volume_capabilities)
        volume = await self._keeper.find(request.volume_id)
        if volume.record.mode != mode:
            return messages.ValidateVolumeCapabilitiesResponse(
                message=f"volume {volume.id} is a {volume.record.mode} volume"
            )
        return messages.ValidateVolumeCapabilitiesResponse(
            messages.Confirmed(
                request.volume_context, request.volume_capabilities, request.parameters
            )
        )

    async def get_capacity(
        self, request: messages.GetCapacityRequest
    ) -> messages.GetCapacityResponse:
        topology = request.accessible_topology
        if topology and topology.segments.get(TOPOLOGY_KEY, self._driver.node) != self._driver.node:
            return messages.GetCapacityResponse()  # there is nothing of ours elsewhere
        pool = self._keeper.pool(requests.pool_of(request.parameters))
        space = await self._keeper.space(pool)
        return messages.GetCapacityResponse(
            available_capacity=space.available,
            maximum_volume_size=messages.Int64Value(rounded(space.size)),
            minimum_volume_size=messages.Int64Value(0),
        )

    async def list_volumes(
        self, request: messages.ListVolumesRequest
    ) -> messages.ListVolumesResponse:
        volumes = await self._keeper.volumes()
        page, token = requests.page_of(
            volumes, [each.id for each in volumes], request.starting_token, request.max_entries
        )
        return messages.ListVolumesResponse(
            [
                messages.VolumeEntry(self._described(each), await self._status(each))
                for each in page
            ],
            token,
        )

    async def controller_get_volume(
        self, request: messages.ControllerGetVolumeRequest
    ) -> messages.ControllerGetVolumeResponse:
        volume = await self._keeper.find(_named(request.volume_id))
        return messages.ControllerGetVolumeResponse(
            self._described(volume), await self._status(volume)
        )

    async def controller_expand_volume(
        self, request: messages.ControllerExpandVolumeRequest
    ) -> messages.ControllerExpandVolumeResponse:
        _named(request.volume_id)
        size, limit = requests.range_of(request.capacity_range)
        if not size and not limit:
            raise invalid("the request says not how large the volume should be")
        volume = await self._keeper.find(request.volume_id)
        if limit and volume.record.size > limit:
            raise errors.TooLarge(f"volume {volume.id} is larger than {limit} bytes already")
        capacity = await self._keeper.grow(request.volume_id, size)
        # What a pod uses already grows at once, and needs nothing from its node.
        return messages.ControllerExpandVolumeResponse(capacity, node_expansion_required=False)

    def _described(
        self,
        volume: Volume,
        context: Mapping[str, str] | None = None,
        source: messages.VolumeContentSource | None = None,
        limit: int = 0,
    ) -> messages.Volume:
        return messages.Volume(
            capacity_bytes=min(volume.capacity, limit or volume.capacity),
            volume_id=volume.id,
            volume_context=dict(context or {}),
            content_source=source,
            accessible_topology=[] if volume.pool.shared else [self._driver.topology],
        )

    async def _status(self, volume: Volume) -> messages.VolumeStatus:
        condition = await self._keeper.condition(volume)
        return messages.VolumeStatus([self._driver.node], described_condition(condition))

    # Snapshots.

    async def create_snapshot(
        self, request: messages.CreateSnapshotRequest
    ) -> messages.CreateSnapshotResponse:
        if not request.name or not request.source_volume_id:
            raise invalid("the request has to name a snapshot and a volume")
        pool = request.parameters.get(requests.STORAGE_POOL)
        taken = await self._keeper.take(request.name, request.source_volume_id, pool)
        return messages.CreateSnapshotResponse(_described_snapshot(taken))

    async def delete_snapshot(
        self, request: messages.DeleteSnapshotRequest
    ) -> messages.DeleteSnapshotResponse:
        if not request.snapshot_id:
            raise invalid("the request names no snapshot")
        await self._keeper.erase_snapshot(request.snapshot_id)
        return messages.DeleteSnapshotResponse()

    async def get_snapshot(
        self, request: messages.GetSnapshotRequest
    ) -> messages.GetSnapshotResponse:
        if not request.snapshot_id:
            raise invalid("the request names no snapshot")
        taken = await self._keeper.snapshot(request.snapshot_id)
        return messages.GetSnapshotResponse(_described_snapshot(taken))

    async def list_snapshots(
        self, request: messages.ListSnapshotsRequest
    ) -> messages.ListSnapshotsResponse:
        found = [
            each
            for each in await self._keeper.snapshots()
            if request.snapshot_id in ("", each.snapshot.name)
            and request.source_volume_id in ("", each.snapshot.volume)
        ]
        names = [each.snapshot.name for each in found]
        page, token = requests.page_of(found, names, request.starting_token, request.max_entries)
        entries = [messages.SnapshotEntry(_described_snapshot(each)) for each in page]
        return messages.ListSnapshotsResponse(entries, token)


def described_condition(condition: conditions.Condition) -> messages.VolumeCondition:
    return messages.VolumeCondition(condition.abnormal, condition.message)


def _described_snapshot(taken: Taken) -> messages.Snapshot:
    snapshot = taken.snapshot
    seconds, rest = divmod(snapshot.taken, 1)
    return messages.Snapshot(
        size_bytes=snapshot.size,
        snapshot_id=snapshot.name,
        source_volume_id=snapshot.volume,
        creation_time=messages.Timestamp(int(seconds), int(rest * 1e9)),
        ready_to_use=taken.ready,
    )


def _named(volume: str) -> str:
    if not volume:
        raise invalid("the request names no volume")
    return volume
