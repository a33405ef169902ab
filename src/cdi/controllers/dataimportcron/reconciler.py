"""Observe one DataImportCron, decide, act."""

from collections.abc import Iterable
from typing import Final

from cdi.api import annotations, names, resources
from cdi.controllers import kinds, sourceref
from cdi.controllers.act import Actor
from cdi.controllers.cluster import MANAGES, OF_CRON, UNCONFIGURED, Cluster, cron_of
from cdi.controllers.dataimportcron import (
    besides,
    cleanup,
    lookups,
    managed,
    metrics,
    nodepull,
    pollers,
    polling,
    template,
)
from cdi.controllers.dataimportcron.decide import decide
from cdi.controllers.dataimportcron.seen import (
    Beside,
    Looked,
    Product,
    Seen,
    name_for,
    name_in,
    storage_class_for,
)
from cdi.controllers.settings import Settings
from cdi.kube import errors, objects, reviews
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CRON_JOBS, PERSISTENT_VOLUME_CLAIMS, SECRETS, Resource

_DEFAULT_ACCOUNT: Final = "default"


class Reconciler:
    """Keys are those of DataImportCrons."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        client: Client,
        actor: Actor,
        clock: Clock,
        outdated: metrics.Outdated,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._client = client
        self._actor = actor
        self._clock = clock
        self._outdated = outdated

    async def reconcile(self, key: Key) -> Result | None:
        cron = self._cluster.crons.get(key)
        if cron is None:
            metrics.note(self._outdated, key, None)
            return await self._sweep(key)
        chosen = storage_class_for(cron, self._cluster.classes.list())
        metrics.note(self._outdated, key, cron, has_default=chosen is not None)
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(await self.observe(cron)))

    async def _sweep(self, key: Key) -> Result | None:
        """Remove what a cron has left that is gone, and not only unknown to our cache yet."""
        wanted = cleanup.swept(key.name, self._made_for(key))
        if not wanted.steps or await self._exists(key):
            return None
        return await self._actor.act(wanted)

    def _made_for(self, key: Key) -> list[tuple[Resource, Object]]:
        cluster = self._cluster
        caches = (
            (CRON_JOBS, cluster.cron_jobs),
            (kinds.DATA_VOLUMES, cluster.data_volumes),
            (PERSISTENT_VOLUME_CLAIMS, cluster.claims),
            (kinds.SNAPSHOTS, cluster.snapshots),
        )
        made = [
            (resource, each)
            for resource, cache in caches
            for each in cache.by_index(OF_CRON, str(key))
        ]
        sources = cluster.data_sources.by_index(OF_CRON, str(key))
        return [
            *made,
            *((kinds.DATA_SOURCES, x) for x in sources if self._has_nothing_else(x, key)),
        ]

    def _has_nothing_else(self, source: Object, key: Key) -> bool:
        """Whether a DataSource stands for what this cron has made, or for nothing.

        Its label alone is no proof: people write it, with whatever value, to ask for a cron.
        """
        there = self._stands_for(source)
        return there is None or key in cron_of(there)

    async def _exists(self, key: Key) -> bool:
        try:
            await self._client.get(kinds.DATA_IMPORT_CRONS, key.name, key.namespace)
        except errors.NotFound:
            return False
        return True

    async def observe(self, cron: Object) -> Seen:
        """Everything about one cron."""
        cluster, key = self._cluster, objects.key(cron)
        source = cluster.data_sources.get(
            Key(key.namespace, objects.get(cron, "spec", "managedDataSource", default=""))
        )
        job = names.cron_job_for(key.name, objects.uid(cron))
        podded = tuple(cluster.pods.by_index(OF_CRON, str(key)))
        now = self._clock.wall()
        due = polling.is_due(cron, now) and not objects.is_deleting(cron)
        pulling = cluster.pods.get(Key(key.namespace, nodepull.pod_name_of(cron)))
        polled_beside = await self._is_polled_beside(cron)
        return Seen(
            cron=cron,
            settings=self._settings,
            now=now,
            data_source=source,
            rival=managed.rival_of(cron, source, cluster.crons),
            points_at_something=source is not None and self._stands_for(source) is not None,
            products=self._products(cron, podded),
            classes=tuple(cluster.classes.list()),
            profiles={objects.name(each): each for each in cluster.profiles.list()},
            snapshot_classes=tuple(cluster.snapshot_classes.list()),
            config=cluster.config,
            installation=cluster.installation,
            cron_job=cluster.cron_jobs.get(Key(self._settings.namespace, job)),
            first_job=cluster.jobs.get(Key(self._settings.namespace, names.initial_job_for(job))),
            pollers=podded,
            pulling=pulling,
            polled_beside=polled_beside,
            beside=await self._beside(cron, pulling if polled_beside else None),
            looked=await self._look(cron) if due else None,
            authorized=await self._is_authorized(cron),
        )

    def _stands_for(self, source: Object) -> Object | None:
        """The claim or snapshot that a DataSource leads to, if it is there."""
        cluster = self._cluster
        found = sourceref.resolve(source, cluster.data_sources.get)
        if isinstance(found, sourceref.Unresolved) or not found.member:
            return None
        there = cluster.snapshots if found.member == sourceref.SNAPSHOT else cluster.claims
        return there.get(found.key)

    def _products(self, cron: Object, podded: tuple[Object, ...]) -> dict[str, Product]:
        cluster, key = self._cluster, objects.key(cron)
        answer = pollers.latest_answer(podded)
        digests = (
            objects.annotations(cron).get(annotations.DESIRED_DIGEST, ""),
            answer.version if answer else "",
        )
        last = str(objects.get(cron, "status", "lastImportedPVC", "name", default=""))
        wanted = {name_in(cron), last, *(name_for(cron, each) for each in digests if each)}
        for cache in (cluster.data_volumes, cluster.claims, cluster.snapshots):
            wanted |= {objects.name(each) for each in cache.by_index(OF_CRON, str(key))}
        return {
            name: Product(
                name,
                volume=cluster.data_volumes.get(Key(key.namespace, name)),
                claim=cluster.claims.get(Key(key.namespace, name)),
                snapshot=cluster.snapshots.get(Key(key.namespace, name)),
            )
            for name in wanted
            if name
        }

    async def _is_polled_beside(self, cron: Object) -> bool:
        """Whether something that a poller needs is not in the installation's namespace."""
        namespace = self._settings.namespace
        secrets, maps = template.named_by(cron)
        if namespace == objects.namespace(cron):
            return False
        if any(self._cluster.config_maps.get(Key(namespace, name)) is None for name in maps):
            return True
        for name in secrets:
            try:
                await self._client.get(SECRETS, name, namespace)
            except errors.NotFound:
                return True
        return False

    async def _beside(self, cron: Object, pod: Object | None) -> Beside:
        cluster = self._cluster
        name = objects.get(cluster.config, "status", "importProxy", "trustedCAProxy", default="")
        authorities = cluster.config_maps.get(Key(self._settings.namespace, str(name)))
        return await besides.observe(self._client, cron, pod, authorities)

    async def _look(self, cron: Object) -> Looked | None:
        claim = template.claim_of(cron)
        if claim is not None:
            return lookups.of_claim(self._cluster.claims.get(claim), str(claim))
        _, given = template.source_of(cron)
        if given.get("imageStream"):
            return await self._look_at_stream(cron, str(given["imageStream"]))
        return None

    async def _look_at_stream(self, cron: Object, text: str) -> Looked:
        parsed = lookups.parse_stream(text)
        stream = None
        if parsed is not None:
            try:
                stream = await self._client.get(
                    kinds.IMAGE_STREAMS, parsed[0], objects.namespace(cron)
                )
            except errors.NotFound:
                stream = None
        return lookups.of_stream(stream, text)

    async def _is_authorized(self, cron: Object) -> bool:
        """Whether the cron's service account may clone a claim of another namespace."""
        claim = template.claim_of(cron)
        if claim is None or claim.namespace == objects.namespace(cron):
            return True
        account = objects.get(cron, "spec", "serviceAccountName", default=_DEFAULT_ACCOUNT)
        namespace = objects.namespace(cron)
        user = reviews.User(
            f"system:serviceaccount:{namespace}:{account}",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}",
             "system:authenticated"),
        )  # fmt: skip
        for action in _cloning(claim.namespace):
            if (await reviews.may(self._client, user, action)).allowed:
                return True
        return False

    # Which crons a change concerns.

    def keys_of_made(self, obj: Object) -> Iterable[Key]:
        """What was made for a cron concerns it."""
        return cron_of(obj)

    def keys_of_data_source(self, source: Object) -> Iterable[Key]:
        """A DataSource concerns all crons that would manage it."""
        managing = self._cluster.crons.by_index(MANAGES, str(objects.key(source)))
        return [*cron_of(source), *map(objects.key, managing)]

    def keys_of_cron(self, cron: Object) -> Iterable[Key]:
        """A cron concerns itself, and those that wait for its DataSource."""
        namespace = objects.namespace(cron)
        managed_by = f"{namespace}/{objects.get(cron, 'spec', 'managedDataSource')}"
        others = self._cluster.crons.by_index(MANAGES, managed_by)
        return [objects.key(cron), *map(objects.key, others)]

    def keys_of_config_map(self, found: Object) -> Iterable[Key]:
        """The authorities of the import proxy concern every cron."""
        name = objects.get(self._cluster.config, "status", "importProxy", "trustedCAProxy")
        return self.keys_of_all(found) if name and objects.name(found) == name else []

    def keys_of_all(self, _: Object) -> Iterable[Key]:
        """A class, a profile or a setting concerns every cron."""
        return list(self._cluster.crons.keys())


def _cloning(namespace: str) -> tuple[reviews.Action, ...]:
    return (
        reviews.Action(
            "create", resources.CDI_GROUP, "v1beta1", "datavolumes", "source", namespace
        ),
        reviews.Action("create", "", "v1", "pods", "", namespace),
    )
