"""
What a claim wants its volume to hold: another claim's volume, or a snapshot.

Reads from the server what no cache here has. Raises NotYet where it is not there, or not ready.
"""

from __future__ import annotations

from typing import Final

from cdi.binding import facts
from cdi.hostpath.pools import Content, Kind
from cdi.hostpath.provisioning.watches import Watches
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.objects import Key, Object
from cdi.kube.resource import Resource

_GROUP: Final = "snapshot.storage.k8s.io"
SNAPSHOTS: Final = Resource(_GROUP, "v1", "volumesnapshots", "VolumeSnapshot")
CONTENTS: Final = Resource(
    _GROUP, "v1", "volumesnapshotcontents", "VolumeSnapshotContent", namespaced=False
)


class NotYet(Exception):
    """What the volume is to hold is not there, or not ready; says which, and why."""


def source_of(claim: Object) -> Object:
    spec = claim.get("spec") or {}
    return spec.get("dataSourceRef") or spec.get("dataSource") or {}


async def content_of(
    claim: Object, client: Client, watches: Watches, driver: str
) -> Content | None:
    """What a claim's volume is to hold; None for nothing. Raises NotYet."""
    source, namespace = source_of(claim), objects.namespace(claim)
    if not source:
        return None
    if source.get("namespace", namespace) != namespace:
        raise NotYet("its source is in another namespace, which is not supported")
    name = str(source.get("name", ""))
    if source.get("kind") == "PersistentVolumeClaim":
        return Content(Kind.VOLUME, _volume_of(Key(namespace, name), watches, driver))
    return Content(Kind.SNAPSHOT, await _snapshot_of(Key(namespace, name), client, driver))


def _volume_of(key: Key, watches: Watches, driver: str) -> str:
    claim = watches.claim(key)
    volume = watches.volume(facts.volume_name(claim)) if claim is not None else None
    if claim is None or volume is None or facts.phase(claim) != facts.BOUND:
        raise NotYet(f"claim {key}, which is to be cloned, is not bound")
    csi = objects.get(volume, "spec", "csi", default={})
    if csi.get("driver") != driver:
        raise NotYet(f"claim {key}, which is to be cloned, has no volume of {driver}")
    return str(csi.get("volumeHandle", ""))


async def _snapshot_of(key: Key, client: Client, driver: str) -> str:
    try:
        snapshot = await client.get(SNAPSHOTS, key.name, key.namespace)
        name = objects.get(snapshot, "status", "boundVolumeSnapshotContentName", default="")
        if not name or not objects.get(snapshot, "status", "readyToUse", default=False):
            raise NotYet(f"snapshot {key} is not ready")
        content = await client.get(CONTENTS, name)
    except errors.NotFound:
        raise NotYet(f"there is no snapshot {key}") from None
    if objects.get(content, "spec", "driver") != driver:
        raise NotYet(f"snapshot {key} is not of {driver}")
    bound = objects.get(content, "spec", "volumeSnapshotRef", default={})
    if (bound.get("namespace"), bound.get("name")) != (key.namespace, key.name):
        raise NotYet(f"snapshot {key} is not bound to its content")
    return str(objects.get(content, "status", "snapshotHandle", default=""))
