"""Observe one DataSource from the caches, decide, act."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.controllers import sourceref
from cdi.controllers.act import Actor
from cdi.controllers.cluster import STANDS_FOR, Cluster, stands_for
from cdi.controllers.datasource.decide import Seen, decide
from cdi.kube import objects
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object


class Reconciler:
    """Keys are those of DataSources."""

    def __init__(self, cluster: Cluster, actor: Actor, clock: Clock) -> None:
        self._cluster = cluster
        self._actor = actor
        self._clock = clock

    async def reconcile(self, key: Key) -> Result | None:
        seen = self.observe(key)
        return None if seen is None else await self._actor.act(decide(seen))

    def observe(self, key: Key) -> Seen | None:
        """Everything about one DataSource; None where it is gone."""
        cluster = self._cluster
        data_source = cluster.data_sources.get(key)
        if data_source is None:
            return None
        found = sourceref.resolve(data_source, cluster.data_sources.get)
        now = self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ")
        if isinstance(found, sourceref.Unresolved) or not found.member:
            return Seen(data_source, now, found)
        if found.member == sourceref.SNAPSHOT:
            return Seen(data_source, now, found, snapshot=cluster.snapshots.get(found.key))
        return Seen(
            data_source,
            now,
            found,
            claim=cluster.claims.get(found.key),
            volume=cluster.data_volumes.get(found.key),
        )

    def keys_of_data_source(self, data_source: Object) -> Iterable[Key]:
        """A DataSource concerns itself and those that name it."""
        return [
            objects.key(data_source),
            *self._standing_for(sourceref.REFERENCE, data_source),
        ]

    def keys_of_claim(self, claim: Object) -> Iterable[Key]:
        """A claim, or the DataVolume of its name, concerns what stands for it."""
        return self._with_referrers(sourceref.PVC, claim)

    def keys_of_snapshot(self, snapshot: Object) -> Iterable[Key]:
        return self._with_referrers(sourceref.SNAPSHOT, snapshot)

    def _with_referrers(self, member: str, obj: Object) -> list[Key]:
        keys = []
        for found in self._cluster.data_sources.by_index(STANDS_FOR, stands_for(member, obj)):
            keys.append(objects.key(found))
            keys += self._standing_for(sourceref.REFERENCE, found)
        return keys

    def _standing_for(self, member: str, obj: Object) -> list[Key]:
        found = self._cluster.data_sources.by_index(STANDS_FOR, stands_for(member, obj))
        return [objects.key(each) for each in found]
