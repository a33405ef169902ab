"""Observe one target claim from the caches, decide, act."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cdi.api import phases
from cdi.controllers.act import Actor
from cdi.controllers.cluster import (
    POPULATED_FROM,
    UNCONFIGURED,
    Cluster,
    keys_of_claim_event,
    target_of,
)
from cdi.controllers.importing.pod import is_of
from cdi.controllers.populating.decide import decide
from cdi.controllers.populating.populator import Populator
from cdi.controllers.populating.registry import populator_of
from cdi.controllers.populating.seen import Seen
from cdi.controllers.progress import Progress
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object


class Reconciler:
    """Claims that name one kind of source object."""

    def __init__(
        self,
        populator: Populator,
        cluster: Cluster,
        settings: Settings,
        actor: Actor,
        progress: Progress,
    ) -> None:
        self._populator = populator
        self._cluster = cluster
        self._settings = settings
        self._actor = actor
        self._progress = progress
        self.enqueue: Callable[[Key], None] = lambda _: None  # set by whoever has the queue

    async def reconcile(self, key: Key) -> Result | None:
        seen = self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(seen))

    def observe(self, key: Key) -> Seen | None:
        """Everything about one target; None where it is gone or not one of ours."""
        cluster = self._cluster
        target = cluster.claims.get(key)
        if target is None:
            return None
        prime, populator = cluster.prime_of(target), self._populator
        if populator_of(target, prime) is not populator:
            return None
        source = objects.get(target, "spec", "dataSourceRef", "name", default="")
        pod = None
        if prime is not None:
            pod = cluster.pods.get(Key(key.namespace, populator.worker_of(prime)))
        return Seen(
            target=target,
            settings=self._settings,
            prime=prime,
            source_object=cluster.of(populator.cache).get(Key(key.namespace, source)),
            volume=cluster.volumes.get(Key("", objects.get(prime, "spec", "volumeName") or "")),
            pod=pod,
            progress=self._progress_of(pod, prime, target, key),
            prime_events=cluster.events_about(prime),
            target_events=cluster.events_about(target),
            classes=cluster.classes.list(),
            config=cluster.config,
        )

    def _progress_of(
        self, pod: Object | None, prime: Object | None, target: Object, key: Key
    ) -> str | None:
        """What the worker that was made for the prime says; a namesake is not asked."""
        if pod is None or prime is None or not is_of(pod, prime):
            return None
        return self._progress.of(pod, objects.uid(target), lambda: self.enqueue(key))

    def keys_of_claim(self, claim: Object) -> Iterable[Key]:
        """A target concerns itself, a prime concerns its target."""
        own = [objects.key(claim)] if self._populator.is_target(claim) else []
        return [*own, *(target_of(claim) if self._populator.owns(claim) else [])]

    def keys_of_source_object(self, source: Object) -> Iterable[Key]:
        name = f"{self._populator.resource.kind}/{objects.key(source)}"
        return [objects.key(each) for each in self._cluster.claims.by_index(POPULATED_FROM, name)]

    def keys_of_class(self, storage_class: Object) -> Iterable[Key]:
        """Targets of a class that have no prime yet: the class may be what they waited for."""
        name = objects.name(storage_class)
        return [
            objects.key(each)
            for each in self._cluster.claims.list()
            if self._populator.is_target(each)
            and objects.get(each, "spec", "storageClassName") == name
            and objects.get(each, "status", "phase") == phases.Claim.PENDING
        ]

    def keys_of_event(self, event: Object) -> Iterable[Key]:
        """What happens to a prime concerns its target."""
        for key in keys_of_claim_event(event, but_of=self._populator.controller):
            prime = self._cluster.claims.get(key)
            if prime is not None and self._populator.owns(prime):
                yield from target_of(prime)
