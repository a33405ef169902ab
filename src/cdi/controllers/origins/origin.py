"""What is cloned, with what concerns it, from the caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdi.api import annotations as known
from cdi.controllers import kinds
from cdi.controllers.clonesource import SNAPSHOT, CloneSource
from cdi.controllers.cluster import Cluster
from cdi.kube import objects, owners
from cdi.kube.objects import Key, Object
from cdi.storage import modes


@dataclass(frozen=True, slots=True)
class Origin:
    """What is cloned. All but its name may be missing."""

    source: CloneSource
    object: Object | None = None  # the claim or the snapshot
    volume: Object | None = None  # the claim's
    content: Object | None = None  # the snapshot's VolumeSnapshotContent
    users: Sequence[Object] = ()  # pods that name the claim
    owner: Object | None = None  # the DataVolume that controls the claim
    owned: bool = False  # whether a DataVolume controls it, even one that is not to be found

    @property
    def is_snapshot(self) -> bool:
        return self.source.kind == SNAPSHOT

    def mode_of_snapshot(self, target: Mapping[str, Any]) -> str:
        """The mode of the volume that a snapshot is of: as far as anybody says, else the mode in
        the spec of its target."""
        said = objects.get(self.content, "spec", "sourceVolumeMode")
        given = objects.annotations(self.object or {}).get(known.SOURCE_VOLUME_MODE)
        usual = str(target.get("volumeMode") or modes.FILESYSTEM)
        found = str(said or given or usual)
        return found if found in (modes.FILESYSTEM, modes.BLOCK) else usual


def observe(cluster: Cluster, source: CloneSource) -> Origin:
    """Look at what is cloned."""
    if source.kind == SNAPSHOT:
        snapshot = cluster.snapshots.get(source.key)
        name = objects.get(snapshot, "status", "boundVolumeSnapshotContentName", default="")
        return Origin(source, snapshot, content=cluster.snapshot_contents.get(Key("", name)))
    claim = cluster.claims.get(source.key)
    if claim is None:
        return Origin(source)
    owner = owners.controller_of(claim) or {}
    owned = owner.get("kind") == kinds.DATA_VOLUMES.kind
    key = Key(source.namespace, str(owner.get("name")))
    return Origin(
        source,
        claim,
        volume=volume_of(cluster, claim),
        users=cluster.pods_using(claim),
        owner=cluster.data_volumes.get(key) if owned else None,
        owned=owned,
    )


def volume_of(cluster: Cluster, claim: Object | None) -> Object | None:
    """The PersistentVolume that a claim names."""
    return cluster.volumes.get(Key("", objects.get(claim, "spec", "volumeName") or ""))
