"""Observe one claim from the caches, decide, act."""

from collections.abc import Iterable

from cdi.api import annotations as known
from cdi.api import names
from cdi.controllers.act import Actor
from cdi.controllers.cluster import IMPORTING, UNCONFIGURED, Cluster, claims_used_by
from cdi.controllers.importing import pod, requests, retries
from cdi.controllers.importing.decide import decide, is_handled
from cdi.controllers.importing.seen import Seen
from cdi.controllers.settings import Settings
from cdi.controllers.working import context as workers
from cdi.controllers.working.report import report_of
from cdi.kube import errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS, Resource

_CREATING = "ContainerCreating"  # what a kubelet says while it waits for volumes
_VDDK_IMAGE = "vddk-init-image"
_VDDK_NODES = "vddk-node-selector"


class Reconciler:
    """Claims with import annotations."""

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
        """Everything about one claim; None where it is gone or asks for nothing."""
        cluster = self._cluster
        claim = cluster.claims.get(key)
        if claim is None or not requests.asks_for_import(claim):
            return None
        found = cluster.pods.get(Key(key.namespace, pod.pod_name_of(claim)))
        context = await self._context(claim)
        ca, ca_copy = await self._proxy_ca(claim, context)
        return Seen(
            claim=claim,
            context=context,
            now=self._clock.wall(),
            pod=found,
            users=workers.other_users(cluster, claim, found),
            kept=workers.ended_users(cluster, claim, found),
            events=cluster.events_about(claim),
            scratch=cluster.claims.get(Key(key.namespace, names.scratch_for(key.name))),
            classes=cluster.classes.list(),
            proxy_ca=ca,
            proxy_ca_copy=ca_copy,
            inputs=await self._inputs(claim, found),
            missing=await self._missing(claim, found),
            gates=cluster.gates,
        )

    async def _context(self, claim: Object) -> pod.PodContext:
        cluster = self._cluster
        config = cluster.config or {}
        owner = owners.controller_name(claim, PERSISTENT_VOLUME_CLAIMS.kind, "")
        image, nodes = await self._vddk(claim)
        return pod.PodContext(
            settings=self._settings,
            config=config,
            placement=workers.placement_of(cluster),
            overhead=workers.overhead_of(cluster, claim),
            target=cluster.claims.get(Key(objects.namespace(claim), owner)) if owner else None,
            vddk_image=image,
            vddk_nodes=nodes,
        )

    async def _vddk(self, claim: Object) -> tuple[str, str]:
        """The image with the VDDK library, and the nodes on which it may run."""
        if requests.source_of(claim) != requests.VDDK:
            return "", ""
        given = objects.annotations(claim)
        image = given.get(known.VDDK_INIT_IMAGE, "")
        if not image:
            named = self._of_installation(names.VDDK_CONFIG_MAP)
            image = str(objects.get(named, "data", _VDDK_IMAGE, default=""))
        image = image or self._settings.vddk_image
        arguments = given.get(known.VDDK_EXTRA_ARGS)
        if not arguments:
            return image, ""
        extra = await self._read(CONFIG_MAPS, arguments, objects.namespace(claim))
        return image, str(objects.get(extra, "data", _VDDK_NODES, default=""))

    async def _proxy_ca(
        self, claim: Object, context: pod.PodContext
    ) -> tuple[Object | None, Object | None]:
        """The proxy's CA as the installation has it, and its copy beside the claim."""
        if not context.proxy_ca or not is_handled(claim, self._cluster.gates):
            return None, None
        name = objects.get(context.config, "status", "importProxy", "trustedCAProxy")
        copied = names.proxy_certificates_for(objects.name(claim))
        return (
            self._of_installation(str(name)),
            await self._read(CONFIG_MAPS, copied, objects.namespace(claim)),
        )

    def _of_installation(self, name: str) -> Object | None:
        """A ConfigMap beside the controllers; made later, it is noticed."""
        return self._cluster.config_maps.get(Key(self._settings.namespace, name))

    async def _missing(self, claim: Object, found: Object | None) -> tuple[str, ...]:
        """What a pod that cannot start lacks, of that which its user has named."""
        if found is None or report_of(found, pod.CONTAINER).waiting_reason != _CREATING:
            return ()
        namespace = objects.namespace(claim)
        named = [
            (resource, name)
            for resource, key in ((SECRETS, known.SECRET), (CONFIG_MAPS, known.CERT_CONFIG_MAP))
            if (name := objects.annotations(claim).get(key))
        ]
        missing = [
            f"{resource.kind} {name}"
            for resource, name in named
            if await self._is_missing(resource, name, namespace)
        ]
        return tuple(missing)

    async def _is_missing(self, resource: Resource, name: str, namespace: str) -> bool:
        try:
            return await self._read(resource, name, namespace) is None
        except errors.Forbidden:
            return False

    async def _inputs(self, claim: Object, found: Object | None) -> retries.Inputs:
        """What a failed import depends on; one that has not failed is not asked."""
        failed = known.FAILED_WITH in objects.annotations(claim)
        if not failed and (found is None or report_of(found, pod.CONTAINER).fatal is None):
            return retries.Inputs()
        return retries.Inputs(
            await self._version(SECRETS, claim, known.SECRET),
            await self._version(CONFIG_MAPS, claim, known.CERT_CONFIG_MAP),
        )

    async def _version(self, resource: Resource, claim: Object, key: str) -> str:
        """The version of what an annotation names; empty where it is not there, or not shown."""
        name = objects.annotations(claim).get(key)
        if not name:
            return ""
        try:
            found = await self._read(resource, name, objects.namespace(claim))
        except errors.Forbidden:
            return ""
        return "" if found is None else f"{objects.uid(found)}.{objects.resource_version(found)}"

    async def _read(self, resource: Resource, name: str, namespace: str) -> Object | None:
        try:
            return await self._client.get(resource, name, namespace)
        except errors.NotFound:
            return None

    def keys_of_config_map(self, _: Object) -> Iterable[Key]:
        """What is set for the whole installation concerns every import that is not over."""
        return [objects.key(each) for each in self._cluster.claims.by_index(IMPORTING, "")]


def keys_of_pod(found: Object) -> Iterable[Key]:
    """A pod concerns all claims that it mounts: it fills one, or is in the way."""
    return claims_used_by(found)
