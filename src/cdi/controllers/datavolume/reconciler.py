"""Observe one DataVolume from the caches, decide, act."""

from collections.abc import Callable, Iterable

from cdi.api import annotations, names
from cdi.controllers import kinds
from cdi.controllers.act import Actor
from cdi.controllers.clonesource import (
    CLAIM,
    DATA_SOURCE,
    SNAPSHOT,
    CloneSource,
    member_of,
)
from cdi.controllers.cluster import (
    CLONED_FROM,
    UNCONFIGURED,
    Cluster,
    claims_used_by,
    target_of,
)
from cdi.controllers.datavolume import cloneseen
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.registry import operation_of
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.importing.pod import is_of
from cdi.controllers.origins.permission import CloneTokens
from cdi.controllers.progress import Progress
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.storage.rendering import Cluster as Storage


class Reconciler:
    """The DataVolumes of one operation."""

    def __init__(
        self,
        operation: Operation,
        cluster: Cluster,
        settings: Settings,
        actor: Actor,
        progress: Progress,
        clock: Clock,
        tokens: CloneTokens | None = None,
    ) -> None:
        self._operation = operation
        self._cluster = cluster
        self._settings = settings
        self._actor = actor
        self._progress = progress
        self._clock = clock
        self._tokens = tokens
        self.enqueue: Callable[[Key], None] = lambda _: None  # set by whoever has the queue

    async def reconcile(self, key: Key) -> Result | None:
        seen = self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(seen))

    def observe(self, key: Key) -> Seen | None:
        """Everything about one DataVolume; None where it is gone or somebody else's."""
        cluster = self._cluster
        volume = cluster.data_volumes.get(key)
        if volume is None or operation_of(volume) is not self._operation:
            return None
        claim = cluster.claims.get(key)
        return Seen(
            volume=volume,
            settings=self._settings,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            storage=self._storage(claim),
            claim=claim,
            prime=None if claim is None else cluster.prime_of(claim),
            source_object=self._source_object(volume, claim),
            csi_drivers=frozenset(objects.name(each) for each in cluster.csi_drivers.list()),
            progress=None if claim is None else self._progress_of(volume, claim, key),
            installation=cluster.installation,
            clone=self._clone(volume, claim),
            measuring=None if claim is not None else self._measuring(volume),
            proxy_ca=None if claim is not None else self._proxy_ca(),
        )

    def _measuring(self, volume: Object) -> Object | None:
        name = names.size_detection_pod_for(objects.uid(volume))
        return self._cluster.pods.get(Key(objects.namespace(volume), name))

    def _proxy_ca(self) -> Object | None:
        name = objects.get(self._cluster.config, "status", "importProxy", "trustedCAProxy")
        return self._cluster.config_maps.get(Key(self._settings.namespace, name)) if name else None

    def _storage(self, claim: Object | None) -> Storage:
        if claim is None:
            return self._cluster.storage()
        # A claim that exists is not rendered again: profiles and volumes do not matter.
        return Storage(classes=self._cluster.classes.list(), config=self._cluster.config)

    def _source_object(self, volume: Object, claim: Object | None) -> Object | None:
        kind = self._operation.source_object
        if kind is None:
            return None
        name = kind.name_for(objects.uid(volume))
        return self._cluster.of(kind.cache).get(Key(kind.namespace_for(volume, claim), name))

    def _clone(self, volume: Object, claim: Object | None) -> CloneSeen | None:
        if not self._operation.clones:
            return None
        return cloneseen.observe(self._cluster, volume, claim, self._tokens)

    def _progress_of(self, volume: Object, claim: Object, key: Key) -> str | None:
        """The progress of the worker that fills the claim itself."""
        if not owners.is_controlled_by(claim, volume):
            return None
        pod = self._cluster.pods.get(Key(key.namespace, self._operation.worker_of(claim)))
        if pod is None or not is_of(pod, claim):
            return None
        return self._progress.of(pod, objects.uid(volume), lambda: self.enqueue(key))

    def waiting(self, _: Object) -> Iterable[Key]:
        """DataVolumes without a claim: a class, a profile or a setting may be what they lack."""
        return [objects.key(each) for each in self._cluster.unclaimed()]

    def waiting_for_volume(self, found: Object) -> Iterable[Key]:
        """The same, where a volume is there to be taken; most volumes are made for a claim."""
        free = objects.get(found, "status", "phase") == "Available"
        return self.waiting(found) if free else []

    def cloned_from_claim(self, claim: Object) -> Iterable[Key]:
        """DataVolumes that wait for a claim that they clone."""
        return self._waiting_for(CloneSource(CLAIM, *objects.key(claim)))

    def cloned_from_snapshot(self, snapshot: Object) -> Iterable[Key]:
        """DataVolumes that wait for a snapshot that they clone."""
        return self._waiting_for(CloneSource(SNAPSHOT, *objects.key(snapshot)))

    def cloned_from_data_source(self, data_source: Object) -> Iterable[Key]:
        """DataVolumes that wait for what a DataSource names, or one that points to it."""
        named = CloneSource(DATA_SOURCE, *objects.key(data_source))
        yield from self._cloned_from(named)
        for other in self._cluster.data_sources.list(named.namespace):
            pointed = objects.get(other, "spec", "source", "dataSource", "name")
            if pointed == named.name:
                yield from self._cloned_from(CloneSource(DATA_SOURCE, *objects.key(other)))

    def measured_by(self, pod: Object) -> Iterable[Key]:
        """DataVolumes that wait for what a pod measures."""
        if objects.name(pod).startswith(names.SIZE_DETECTION):
            for key in claims_used_by(pod):
                yield from self._waiting_for(CloneSource(CLAIM, *key))

    def _waiting_for(self, source: CloneSource) -> Iterable[Key]:
        """By name, or over a DataSource."""
        yield from self._cloned_from(source)
        for each in self._cluster.data_sources.list():
            given = objects.get(each, "spec", "source")
            if member_of(given, objects.namespace(each)) == source:
                yield from self.cloned_from_data_source(each)

    def _cloned_from(self, source: CloneSource) -> Iterable[Key]:
        for each in self._cluster.data_volumes.by_index(CLONED_FROM, source.index_value):
            if not objects.get(each, "status", "claimName"):
                yield objects.key(each)


def keys_of_measuring_pod(pod: Object) -> Iterable[Key]:
    """The DataVolume for which a pod reads the size of the disk at its source."""
    name = owners.controller_name(pod, kinds.DATA_VOLUMES.kind, kinds.DATA_VOLUMES.group)
    return [Key(objects.namespace(pod), name)] if name else []


def keys_of_claim(claim: Object) -> Iterable[Key]:
    """A claim concerns the DataVolume of its name; a prime, that of its target."""
    return [objects.key(claim), *target_of(claim)]


def keys_of_source_object(source: Object) -> Iterable[Key]:
    owner = owners.controller_of(source)
    if owner is not None:
        return [Key(objects.namespace(source), str(owner["name"]))]
    elsewhere = objects.annotations(source).get(annotations.OWNED_BY_DATA_VOLUME)
    return [objects.parse_key(elsewhere)] if elsewhere and elsewhere.count("/") == 1 else []
