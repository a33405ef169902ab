"""Observe one claim that is copied into over the network, decide, act."""

from collections.abc import Iterable

from cdi.api import annotations, labels, names, phases
from cdi.controllers.act import Actor
from cdi.controllers.clonesource import CLAIM, CloneSource
from cdi.controllers.cloning import sending
from cdi.controllers.cloning.sending import Seen
from cdi.controllers.cloning.sendingkeys import Issuer
from cdi.controllers.cluster import COPIED_FROM, UNCONFIGURED, Cluster, claims_used_by
from cdi.controllers.origins import origin as origins
from cdi.controllers.origins import permission, restored
from cdi.controllers.origins.permission import CloneTokens
from cdi.controllers.plan import NotYet
from cdi.controllers.settings import Settings
from cdi.controllers.uploading import requests
from cdi.controllers.working import context as workers
from cdi.controllers.working.context import Context
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.kube.resource import SECRETS
from cdi.storage import lifetimes

NAME = "clone-source-controller"
_STARTED = (phases.Pod.RUNNING, phases.Pod.SUCCEEDED, phases.Pod.FAILED)


class Reconciler:
    """Claims into which a clone source sends."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        client: Client,
        actor: Actor,
        clock: Clock,
        tokens: CloneTokens | None = None,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._client = client
        self._actor = actor
        self._clock = clock
        self._tokens = tokens

    async def reconcile(self, key: Key) -> Result | None:
        seen = await self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(sending.decide(seen))

    async def observe(self, key: Key) -> Seen | None:
        """Everything about one target; None where it is gone or nothing concerns us."""
        cluster = self._cluster
        claim = cluster.claims.get(key)
        named = requests.source_of(claim) if claim else None
        if claim is None or named is None or not named.namespace or not sending.is_asked(claim):
            return None
        source = CloneSource(CLAIM, *named)
        pod = cluster.pods.get(Key(named.namespace, sending.pod_name_of(claim)))
        origin, refused = origins.observe(cluster, source), ""
        if named.namespace != key.namespace:
            allowed = restored.permitted_by(source, origin.object, key)
            refused = permission.of_claim(claim, allowed, self._tokens)
        return Seen(
            claim=claim,
            origin=origin,
            context=Context(self._settings, cluster.config or {}, workers.placement_of(cluster)),
            issuer=await self._issuer(claim, pod),
            now=self._clock.wall(),
            refused=refused,
            pod=pod,
            classes=cluster.classes.list(),
            events=cluster.events_about(claim),
        )

    async def _issuer(self, claim: Object, pod: Object | None) -> Issuer:
        """What keys are made with; looked for only where some may have to be made."""
        namespace = self._settings.namespace
        bundle = self._cluster.config_maps.get(Key(namespace, names.UPLOAD_SERVER_BUNDLE))
        begun = objects.get(pod, "status", "phase") in _STARTED
        needed = sending.has_server(claim) and not begun
        signer = await self._read_signer() if needed else None
        try:
            allowed = lifetimes.parse_lifetimes(self._cluster.installation)
        except lifetimes.InvalidCertConfig as error:
            raise NotYet(f"CDI object: {error}") from error
        return Issuer(namespace, signer, bundle, allowed)

    async def _read_signer(self) -> Object | None:
        try:
            return await self._client.get(
                SECRETS, names.UPLOAD_CLIENT_SIGNER, self._settings.namespace
            )
        except errors.NotFound:
            return None

    def keys_of_pod(self, pod: Object) -> Iterable[Key]:
        """A clone source concerns its target; whoever lets go of a source, what waits for it."""
        if objects.labels(pod).get(labels.COMPONENT) == labels.CLONE_SOURCE:
            target = objects.annotations(pod).get(annotations.OWNER_REF, "")
            if target.count("/") == 1:
                yield objects.parse_key(target)
        for key in claims_used_by(pod):
            yield from self._copied_from(key)

    def keys_of_claim(self, claim: Object) -> Iterable[Key]:
        return [objects.key(claim), *self._copied_from(objects.key(claim))]

    def _copied_from(self, source: Key) -> Iterable[Key]:
        return [
            objects.key(each) for each in self._cluster.claims.by_index(COPIED_FROM, str(source))
        ]
