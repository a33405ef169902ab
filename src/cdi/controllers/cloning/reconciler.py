"""Observe the target of one clone, decide, act; and take away what no target has any more."""

from collections.abc import Callable, Iterable
from typing import Final

from cdi.api import annotations, names, resources
from cdi.controllers import clonesource, kinds, plan
from cdi.controllers.act import Actor
from cdi.controllers.clonesource import CLAIM, CloneSource
from cdi.controllers.cloning.decide import decide, resource_of
from cdi.controllers.cloning.seen import Seen, Temporaries
from cdi.controllers.cluster import (
    CLONED_FROM,
    OWNED_BY,
    POPULATED_FROM,
    UID,
    UNCONFIGURED,
    Cluster,
    claims_used_by,
    keys_of_claim_event,
    owned_by,
)
from cdi.controllers.origins import origin as origins
from cdi.controllers.origins import permission
from cdi.controllers.origins.origin import Origin, volume_of
from cdi.controllers.origins.permission import CloneTokens
from cdi.controllers.progress import Progress
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object, Objects

NAME: Final = "clone-populator"
SOURCE: Final = kinds.CLONE_SOURCES  # what targets name
_OWNED: Final = ("claims", "pods", "snapshots")  # caches in which temporaries are


class Reconciler:
    """Keys are those of targets; one without a namespace is the UID of a target that is gone."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        actor: Actor,
        progress: Progress,
        clock: Clock,
        tokens: CloneTokens | None = None,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._actor = actor
        self._progress = progress
        self._clock = clock
        self._tokens = tokens
        self.enqueue: Callable[[Key], None] = lambda _: None  # set by whoever has the queue

    async def reconcile(self, key: Key) -> Result | None:
        if not key.namespace:
            return await self._actor.act(self._orphans(key.name))
        seen = self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(seen))

    def _orphans(self, uid: str) -> plan.Plan:
        """What was made in the very moment in which its target went."""
        if self._cluster.claims.by_index(UID, uid):
            return plan.NOTHING
        left = (each for each in self._owned(uid) if not objects.is_deleting(each))
        return plan.Plan(tuple(plan.Remove(resource_of(each), each) for each in left))

    # Observing.

    def observe(self, key: Key) -> Seen | None:
        """Everything about one target; None where it is gone or not one of ours."""
        cluster = self._cluster
        target = cluster.claims.get(key)
        if target is None or not is_target(target):
            return None
        where = _namespace_of_source(target)
        source = cluster.clone_sources.get(Key(where, _source_name(target)))
        origin = self._origin(source)
        temporaries = self._temporaries(target)
        refused = self._refusal(target, where, origin)
        return Seen(
            target=target,
            settings=self._settings,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            source_object=source,
            origin=origin,
            refused=refused,
            temporaries=temporaries,
            classes=cluster.classes.list(),
            profiles={objects.name(each): each for each in cluster.profiles.list()},
            snapshot_classes=cluster.snapshot_classes.list(),
            installation=cluster.installation,
            config=cluster.config,
            progress=self._progress_of(temporaries.copy_pod, target, key),
            temporary_events=cluster.events_about(temporaries.claim),
            target_events=cluster.events_about(target),
        )

    def _origin(self, source_object: Object | None) -> Origin | None:
        named = clonesource.named_by(source_object) if source_object else None
        return None if named is None else origins.observe(self._cluster, named)

    def _refusal(self, target: Object, where: str, origin: Origin | None) -> str:
        if where == objects.namespace(target) or origin is None:
            return ""
        return permission.of_claim(target, origin.source, self._tokens)

    def _temporaries(self, target: Object) -> Temporaries:
        uid, cluster = objects.uid(target), self._cluster
        owned = {(each["kind"], objects.name(each)): each for each in self._owned(uid)}

        def take(kind: str, name: str) -> Object | None:
            return owned.pop((kind, name), None)

        claim = take(CLAIM, names.temporary_claim_for(uid))
        source_claim = take(CLAIM, names.temporary_source_claim_for(uid))
        copied = names.copy_pod_for(objects.uid(claim)) if claim else ""
        return Temporaries(
            claim=claim,
            claim_volume=volume_of(cluster, claim),
            snapshot=take(kinds.SNAPSHOTS.kind, names.temporary_snapshot_for(uid)),
            source_claim=source_claim,
            source_volume=volume_of(cluster, source_claim),
            prep_pod=take("Pod", names.prep_pod_for(uid)),
            copy_pod=take("Pod", copied),
            others=tuple(owned.values()),
        )

    def _owned(self, uid: str) -> Objects:
        return [
            each for cache in _OWNED for each in self._cluster.of(cache).by_index(OWNED_BY, uid)
        ]

    def _progress_of(self, pod: Object | None, target: Object, key: Key) -> str | None:
        if pod is None:
            return None
        return self._progress.of(pod, objects.uid(target), lambda: self.enqueue(key))

    # Which targets a change concerns.

    def keys_of_claim(self, claim: Object) -> Iterable[Key]:
        """A target concerns itself, a temporary its target, a source what is cloned from it."""
        if is_target(claim):
            yield objects.key(claim)
        yield from self.keys_of_owned(claim)
        yield from self._cloned_from(CloneSource(CLAIM, *objects.key(claim)))

    def keys_of_volume(self, volume: Object) -> Iterable[Key]:
        """A DataVolume that fills a source concerns what waits for that."""
        return self._cloned_from(CloneSource(CLAIM, *objects.key(volume)))

    def keys_of_snapshot(self, snapshot: Object) -> Iterable[Key]:
        yield from self.keys_of_owned(snapshot)
        yield from self._cloned_from(CloneSource(clonesource.SNAPSHOT, *objects.key(snapshot)))

    def keys_of_pod(self, pod: Object) -> Iterable[Key]:
        """A pod of ours; or one that has let go of a source."""
        yield from self.keys_of_owned(pod)
        for key in claims_used_by(pod):
            yield from self._cloned_from(CloneSource(CLAIM, *key))

    def keys_of_owned(self, found: Object) -> Iterable[Key]:
        """The target that a temporary was made for."""
        for uid in owned_by(found):
            targets = self._cluster.claims.by_index(UID, uid)
            yield objects.key(targets[0]) if targets else Key("", uid)

    def keys_of_source_object(self, source: Object) -> Iterable[Key]:
        name = f"{kinds.CLONE_SOURCES.kind}/{objects.key(source)}"
        return [objects.key(each) for each in self._cluster.claims.by_index(POPULATED_FROM, name)]

    def _cloned_from(self, source: CloneSource) -> Iterable[Key]:
        for each in self._cluster.clone_sources.by_index(CLONED_FROM, source.index_value):
            yield from self.keys_of_source_object(each)

    def keys_of_class(self, _: Object) -> Iterable[Key]:
        """Targets that wait: a class, or what is known of one, may be what they wait for."""
        return [
            objects.key(each)
            for source in self._cluster.clone_sources.list()
            for each in self._cluster.claims.by_index(
                POPULATED_FROM, f"{kinds.CLONE_SOURCES.kind}/{objects.key(source)}"
            )
        ]

    def keys_of_event(self, event: Object) -> Iterable[Key]:
        """What happens to a temporary claim concerns its target."""
        for key in keys_of_claim_event(event, but_of=NAME):
            if claim := self._cluster.claims.get(key):
                yield from self.keys_of_owned(claim)


def is_target(claim: Object) -> bool:
    """Whether a claim is to be filled by a clone."""
    reference = objects.get(claim, "spec", "dataSourceRef", default={})
    return (
        reference.get("apiGroup") == resources.CDI_GROUP
        and reference.get("kind") == kinds.CLONE_SOURCES.kind
        and bool(reference.get("name"))
        and reference.get("namespace") is None
    )


def _namespace_of_source(target: Object) -> str:
    elsewhere = objects.annotations(target).get(annotations.DATA_SOURCE_NAMESPACE)
    return elsewhere or objects.namespace(target)


def _source_name(target: Object) -> str:
    return str(objects.get(target, "spec", "dataSourceRef", "name", default=""))
