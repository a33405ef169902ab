"""Observe one claim from the caches, decide, act."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.api import annotations as known
from cdi.api import names
from cdi.controllers.act import Actor
from cdi.controllers.cluster import UNCONFIGURED, Cluster, claims_used_by
from cdi.controllers.plan import NotYet
from cdi.controllers.settings import Settings
from cdi.controllers.uploading import pod, prerequisites, requests
from cdi.controllers.uploading.certificates import Issuer
from cdi.controllers.uploading.decide import decide
from cdi.controllers.uploading.seen import Seen
from cdi.controllers.working import context as workers
from cdi.kube import errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, SECRETS
from cdi.storage import lifetimes


class Reconciler:
    """Claims that ask for an upload server, and those that have one left."""

    def __init__(
        self, cluster: Cluster, settings: Settings, client: Client, actor: Actor, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._client = client
        self._actor = actor
        self._clock = clock

    async def reconcile(self, key: Key) -> Result | None:
        seen = await self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(seen))

    async def observe(self, key: Key) -> Seen | None:
        """Everything about one claim; None where it is gone or nothing concerns us."""
        cluster = self._cluster
        claim = cluster.claims.get(key)
        if claim is None:
            return None
        found = cluster.pods.get(Key(key.namespace, requests.pod_name_of(claim)))
        service = cluster.services.get(Key(key.namespace, pod.service_name_of(claim)))
        if not requests.asks_for_server(claim) and found is None and service is None:
            return None
        return Seen(
            claim=claim,
            context=workers.Context(
                settings=self._settings,
                config=cluster.config or {},
                placement=workers.placement_of(cluster),
                overhead=workers.overhead_of(cluster, claim),
            ),
            issuer=await self._issuer(found),
            now=self._clock.wall(),
            pod=found,
            service=service,
            users=workers.other_users(cluster, claim, found),
            events=cluster.events_about(claim),
            scratch=cluster.claims.get(Key(key.namespace, names.scratch_for(key.name))),
            classes=cluster.classes.list(),
            source=self._source(claim),
            told_on=self._told_on(claim),
            gates=cluster.gates,
        )

    async def _issuer(self, found: Object | None) -> Issuer:
        """What certificates are made with; looked for only where one may have to be made."""
        namespace = self._settings.namespace
        bundle = self._cluster.config_maps.get(Key(namespace, names.UPLOAD_CLIENT_BUNDLE))
        needed = found is None or not prerequisites.has_started(found)
        signer = await self._read_signer() if needed else None
        try:
            allowed = lifetimes.parse_lifetimes(self._cluster.installation)
        except lifetimes.InvalidCertConfig as error:
            raise NotYet(f"CDI object: {error}") from error
        return Issuer(namespace, signer, bundle, allowed)

    async def _read_signer(self) -> Object | None:
        try:
            return await self._client.get(
                SECRETS, names.UPLOAD_SERVER_SIGNER, self._settings.namespace
            )
        except errors.NotFound:
            return None

    def _source(self, claim: Object) -> Object | None:
        key = requests.source_of(claim)
        return None if key is None else self._cluster.claims.get(key)

    def _told_on(self, claim: Object) -> Object | None:
        """The claim on which whoever made this one wants its events."""
        given = objects.annotations(claim)
        if given.get(known.EVENT_SOURCE_KIND) != PERSISTENT_VOLUME_CLAIMS.kind:
            return None
        try:
            return self._cluster.claims.get(objects.parse_key(given.get(known.EVENT_SOURCE, "")))
        except ValueError:
            return None

    def keys_of_config_map(self, found: Object) -> Iterable[Key]:
        """The bundle of clients may be what somebody waits for."""
        if objects.name(found) != names.UPLOAD_CLIENT_BUNDLE:
            return []
        return [
            objects.key(each)
            for each in self._cluster.claims.list()
            if requests.asks_for_server(each) and known.UPLOAD_POD not in objects.annotations(each)
        ]


def keys_of_pod(found: Object) -> Iterable[Key]:
    """A pod concerns all claims that it mounts: it fills one, or is in the way."""
    return claims_used_by(found)


def keys_of_service(found: Object) -> Iterable[Key]:
    owner = owners.controller_name(found, PERSISTENT_VOLUME_CLAIMS.kind, "")
    return [Key(objects.namespace(found), owner)] if owner else []
