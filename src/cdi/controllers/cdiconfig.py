"""
The one CDIConfig: created if it is missing, and its status kept as its spec and the cluster say.

What the status says is decided by `cdi.storage.config`. The kind has no status subresource: spec
and status are written at once, so that a setting takes effect in the pass in which it is seen.
"""

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cdi.api import features, labels, names
from cdi.controllers import kinds, metadata, plan, proxyauthority
from cdi.controllers.act import Actor
from cdi.controllers.cluster import Cluster
from cdi.controllers.settings import Settings
from cdi.kube import errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS
from cdi.storage import certificates, config, proxy, uploadaddress

KEY: Final = Key("", names.CDI_CONFIG)
_PROBLEM: Final = "InvalidSetting"
_RENEWED: Final = 300.0  # seconds; Secrets with the certificates of Ingresses are not watched

log = logging.getLogger(__name__)

# What the CDI object of a release says, for a cluster that has none.
_DEFAULTS: Final = {"featureGates": [features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER.value]}


@dataclass(frozen=True, slots=True)
class Seen:
    """The CDIConfig and what it follows from."""

    settings: Settings
    found: Object | None = None
    installation: Object | None = None  # the CDI object
    classes: tuple[Object, ...] = ()
    upload: config.Upload = field(default_factory=config.Upload)  # where its proxy is reached
    cluster_proxy: Object | None = None  # OpenShift's Proxy
    proxy_authority: Object | None = None  # the ConfigMap that it names, if it is there
    copies: Mapping[str, Object] = field(default_factory=dict)  # ConfigMaps of ours, by name


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    before = _new(seen) if seen.found is None else seen.found
    spec = config.spec_for(
        before.get("spec") or {}, seen.installation, operated=seen.settings.operated
    )
    wanted = config.status_for(
        config.Seen(
            spec=spec,
            status=before.get("status") or {},
            classes=seen.classes,
            upload=seen.upload,
            cluster_proxy=seen.cluster_proxy,
        )
    )
    after = {**before, "spec": spec, "status": wanted.status}
    if seen.found is None:
        return plan.Plan((plan.Create(kinds.CDI_CONFIGS, after),))
    copied = proxyauthority.copied(
        proxy.copies_for(
            spec.get("importProxy"),
            objects.get(before, "status", "importProxy"),
            wanted.status["importProxy"],
        ),
        seen.cluster_proxy,
        seen.proxy_authority,
        seen.copies,
        seen.settings.namespace,
    )
    if after == before:
        return copied
    events = tuple(
        plan.warning(seen.found, _PROBLEM, problem.message) for problem in wanted.problems
    )
    # What was named before is deleted first: afterwards nobody knows its name.
    return copied.then(plan.Plan((plan.Change(kinds.CDI_CONFIGS, seen.found, after),), events))


def _new(seen: Seen) -> Object:
    found: Object = {
        "apiVersion": kinds.CDI_CONFIGS.api_version,
        "kind": kinds.CDI_CONFIGS.kind,
        "metadata": {
            "name": names.CDI_CONFIG,
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.COMPONENT: "",
                **metadata.recommended_labels(seen.settings),
            },
        },
        "spec": dict(_DEFAULTS) if seen.installation is None else _asked(seen.installation),
    }
    if seen.installation is not None:
        found["metadata"]["ownerReferences"] = [owners.owner_reference(seen.installation)]
    return found


def _asked(installation: Object) -> Object:
    return dict(objects.get(installation, "spec", "config", default={}))


class Reconciler:
    """There is one key."""

    def __init__(
        self, cluster: Cluster, settings: Settings, actor: Actor, client: Client, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._actor = actor
        self._client = client
        self._clock = clock

    async def reconcile(self, key: Key) -> Result | None:
        if key != KEY:
            return None
        await self._actor.act(decide(await self.observe()))
        elsewhere = self._cluster.ingresses.list() or self._cluster.proxies.list()
        return Result(again_in=_RENEWED) if elsewhere else None

    async def observe(self) -> Seen:
        named = self._cluster.proxies.get(Key("", proxy.CLUSTER_PROXY))
        return Seen(
            settings=self._settings,
            cluster_proxy=named,
            proxy_authority=await self._proxy_authority(named),
            copies={
                objects.name(each): each
                for each in self._cluster.config_maps.list(self._settings.namespace)
            },
            found=self._cluster.config,
            installation=self._cluster.installation,
            classes=tuple(self._cluster.classes.list()),
            upload=await self._upload(),
        )

    async def _proxy_authority(self, named: Object | None) -> Object | None:
        """Whom the cluster's proxy makes everybody trust; not watched, as it is elsewhere."""
        name = objects.get(named, "spec", "trustedCA", "name")
        if not name:
            return None
        try:
            return await self._client.get(CONFIG_MAPS, name, proxy.CA_NAMESPACE)
        except errors.NotFound:
            return None

    async def _upload(self) -> config.Upload:
        """Where clients reach the upload proxy, and whom they have to trust for that."""
        if self._settings.upload.host is not None:
            return self._settings.upload
        address = uploadaddress.choose(
            self._cluster.ingresses.list(), self._cluster.routes.list(), self._settings.namespace
        )
        if address is None:
            return config.Upload()
        try:
            bundle = await self._bundle(address)
            trusted = certificates.chain_for(bundle, address.host, self._clock.wall())
        except certificates.BrokenBundle as error:
            log.warning("a certificate cannot be read", extra={"cause": str(error)})
            trusted = None
        return config.Upload(address.host, trusted)

    async def _bundle(self, address: uploadaddress.Address) -> str:
        namespace = self._settings.namespace
        if address.is_route:
            found = self._cluster.config_maps.get(Key(namespace, uploadaddress.ROUTE_CA_CONFIG_MAP))
            return str(objects.get(found, "data", uploadaddress.ROUTE_CA_KEY, default=""))
        if not address.secret:
            return ""
        try:
            secret = await self._client.get(SECRETS, address.secret, namespace)
            encoded = objects.get(secret, "data", uploadaddress.INGRESS_CERTIFICATE_KEY, default="")
            return base64.b64decode(encoded).decode()
        except errors.NotFound:
            return ""
        except (binascii.Error, UnicodeDecodeError) as error:
            raise certificates.BrokenBundle(f"Secret {address.secret}: {error}") from error


def keys_of_config_map(found: Object) -> tuple[Key, ...]:
    """The one in which an OpenShift Route's authority is."""
    return (KEY,) if objects.name(found) == uploadaddress.ROUTE_CA_CONFIG_MAP else ()


def keys_of_anything(_: Object) -> tuple[Key]:
    return (KEY,)
