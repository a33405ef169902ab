"""
What admission rules ask about the cluster, answered by its API server.

What many rules read and few people change is watched (storage classes, storage profiles,
PersistentVolumes, the CDIConfig); everything else is read when it is asked for, so that a rule
never judges by an old object. Raises inquiry.LookupFailed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from cdi.api import names
from cdi.api import resources as ours
from cdi.kube import errors, objects, reviews
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.objects import Key, Object, Objects
from cdi.kube.resource import (
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
    Resource,
)
from cdi.kube.reviews import Action
from cdi.web.admission.inquiry import Access, Get, List, Lookup, LookupFailed

# Seconds that a rule may wait for a cache that is not filled yet; webhooks time out after 10.
PATIENCE: Final = 8.0
_SNAPSHOTS: Final = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")


def _of_ours(resource: ours.Resource) -> Resource:
    return Resource(
        resource.group,
        resource.storage_version,
        resource.plural,
        resource.kind,
        namespaced=resource.namespaced,
    )


CONFIGS: Final = _of_ours(ours.find("CDIConfig"))
_PROFILES: Final = _of_ours(ours.find("StorageProfile"))
_RESOURCES: Final[Mapping[str, Resource]] = {
    str(resource): resource
    for resource in (
        *(_of_ours(each) for each in ours.ALL if each.stored),
        NAMESPACES,
        PERSISTENT_VOLUME_CLAIMS,
        PERSISTENT_VOLUMES,
        STORAGE_CLASSES,
        _SNAPSHOTS,
    )
}


class Lookups:
    """Answers lookups; `informers` are parts for `manager.Group.CACHES`."""

    def __init__(self, client: Client, patience: float = PATIENCE) -> None:
        self._client = client
        self._patience = patience
        config = f"metadata.name={names.CDI_CONFIG}"
        self._watched = {
            str(each.resource): each
            for each in (
                Informer(client, CONFIGS, fields=config),
                Informer(client, _PROFILES),
                Informer(client, STORAGE_CLASSES),
                Informer(client, PERSISTENT_VOLUMES, transform=small_volume),
            )
        }

    @property
    def informers(self) -> tuple[Informer, ...]:
        return tuple(self._watched.values())

    @property
    def are_synced(self) -> bool:
        return all(each.synced for each in self._watched.values())

    @property
    def config(self) -> Object | None:
        """The CDIConfig, as last seen."""
        return self._watched[str(CONFIGS)].cache.get(Key("", names.CDI_CONFIG))

    async def __call__(self, lookup: Lookup) -> Any:
        try:
            async with asyncio.timeout(self._patience):
                return await self._answer(lookup)
        except errors.KubeError as error:
            raise LookupFailed(str(error)) from error
        except TimeoutError as error:
            raise LookupFailed(f"the API server did not answer in time: {lookup}") from error

    async def _answer(self, lookup: Lookup) -> Any:
        match lookup:
            case Get():
                return await self._one(lookup)
            case List():
                return await self._every(lookup)
            case Access():
                return await self._allows(lookup)

    async def _one(self, lookup: Get) -> Object | None:
        if not lookup.name:
            return None  # a reference without a name; whoever validates it will say so
        if informer := self._watched.get(lookup.resource):
            await informer.ready()
            return informer.cache.get(Key(lookup.namespace, lookup.name))
        resource = _resource(lookup.resource)
        try:
            return await self._client.get(resource, lookup.name, lookup.namespace or None)
        except errors.NotFound:
            return None

    async def _every(self, lookup: List) -> Objects:
        informer = self._watched.get(lookup.resource)
        if informer is not None and not lookup.selector:
            await informer.ready()
            found = informer.cache.list()
            return found[: lookup.limit] if lookup.limit else found
        resource = _resource(lookup.resource)
        if not lookup.limit:
            return await self._client.list(resource, labels=lookup.selector)
        pages = self._client.pages(resource, labels=lookup.selector, limit=lookup.limit)
        async with aclosing(pages):
            async for page in pages:
                return page.items[: lookup.limit]
        return []

    async def _allows(self, lookup: Access) -> bool:
        action = Action(
            verb=lookup.verb,
            group=lookup.group,
            resource=lookup.resource,
            subresource=lookup.subresource,
            namespace=lookup.namespace,
            name=lookup.name,
        )
        return (await reviews.may(self._client, lookup.user, action)).allowed


def small_volume(volume: Object) -> Object:
    """What rules read of a PersistentVolume; a cluster has thousands of them."""
    meta = objects.metadata(volume)
    spec: Object = objects.get(volume, "spec", default={})
    kept = ("name", "resourceVersion", "deletionTimestamp")
    read = ("storageClassName", "capacity", "accessModes", "volumeMode")
    return objects.compact(
        {
            "apiVersion": volume.get("apiVersion"),
            "kind": volume.get("kind"),
            "metadata": {key: meta[key] for key in kept if key in meta},
            "spec": {key: spec[key] for key in read if key in spec},
            "status": {"phase": objects.get(volume, "status", "phase")},
        }
    )


def _resource(qualified: str) -> Resource:
    try:
        return _RESOURCES[qualified]
    except KeyError:
        raise LookupFailed(f"nobody here knows resource {qualified}") from None
