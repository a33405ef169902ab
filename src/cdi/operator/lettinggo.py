"""
What controllers hold by finalizers, let go once there are no controllers any more.

A removal takes the definitions away, and with them every object of theirs. One that is held for
somebody who has gone would never go, nor its definition, and nothing could be installed again.
What a clone has made for a held claim goes first, as its controller would have seen to. Safe to
repeat. Raises errors.KubeError.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from cdi.api import finalizers, labels, resources
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, Resource

_SNAPSHOTS: Final = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")


def _ours(kind: str) -> Resource:
    found = resources.find(kind)
    return Resource(
        found.group, found.storage_version, found.plural, found.kind, namespaced=found.namespaced
    )


# Claims first: what is made for them may be held itself, and is among them.
HELD: Final[Mapping[Resource, frozenset[str]]] = {
    PERSISTENT_VOLUME_CLAIMS: frozenset(
        {
            finalizers.CLONE_POPULATOR,
            finalizers.CLONE_SOURCE,
            finalizers.IMPORT_IMAGE_STREAM,
        }
    ),
    _ours("DataVolume"): frozenset({finalizers.DATA_VOLUME}),
    _ours("DataImportCron"): frozenset({finalizers.DATA_IMPORT_CRON}),
    _ours("ObjectTransfer"): frozenset({finalizers.OBJECT_TRANSFER}),
}
_TEMPORARIES: Final = (PODS, PERSISTENT_VOLUME_CLAIMS, _SNAPSHOTS)


async def let_go(client: Client) -> None:
    """Take our finalizers off everything in the cluster."""
    for resource, ours in HELD.items():
        for found in await _held(client, resource, ours):
            if finalizers.CLONE_POPULATOR in objects.finalizers(found):
                await _remove_temporaries(client, objects.uid(found))
            await _release(client, resource, found, ours)


async def _held(client: Client, resource: Resource, ours: frozenset[str]) -> list[Object]:
    """Those that are held; of the others nothing is kept."""
    held: list[Object] = []
    try:
        async with aclosing(client.pages(resource)) as pages:
            async for page in pages:
                held += [each for each in page.items if ours & set(objects.finalizers(each))]
    except errors.NotFound:
        return []  # there is no such definition
    return held


async def _remove_temporaries(client: Client, target: str) -> None:
    for resource in _TEMPORARIES:
        try:
            made = await client.list(resource, labels=f"{labels.OWNED_BY_UID}={target}")
        except errors.NotFound:
            continue
        for each in made:
            await apply.ensure_absent(client, resource, each)


async def _release(client: Client, resource: Resource, found: Object, ours: frozenset[str]) -> None:
    rest = [each for each in objects.finalizers(found) if each not in ours]
    wanted = {**found, "metadata": {**objects.metadata(found), "finalizers": rest}}
    try:
        await apply.ensure_state(client, resource, found, wanted)
    except errors.NotFound:
        return  # gone meanwhile
