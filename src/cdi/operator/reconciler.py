"""One pass for one CDI object: look, decide, act. Elsewhere: each of the three."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from cdi.api import names
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.installing.readiness import is_deployed
from cdi.kube.installing.ref import Ref
from cdi.kube.installing.watches import Watches
from cdi.kube.objects import Key, Object
from cdi.kube.resource import (
    CONSTRAINTS,
    CUSTOM_RESOURCE_DEFINITIONS,
    PROMETHEUS_RULES,
    SERVICE_MONITORS,
)
from cdi.operator import decide, kinds, status
from cdi.operator.act import Actor
from cdi.operator.certificates import chains
from cdi.operator.inventory import deployments, openshift
from cdi.operator.inventory.installed import Facts, priority_class_of
from cdi.operator.seen import Seen
from cdi.operator.settings import Settings

log = logging.getLogger(__name__)

_OWN_DEFINITION: Final = "cdis.cdi.kubevirt.io"
UNKNOWN_READY: Final = -1


class Reconciler:
    """Keeps installations. `readiness` is told the value of metric kubevirt_cdi_cr_ready."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        watches: Watches,
        actor: Actor,
        clock: Clock,
        readiness: Callable[[int], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._watches = watches
        self._actor = actor
        self._clock = clock
        self._readiness = readiness
        self._ready = UNKNOWN_READY

    async def reconcile(self, key: Key) -> Result | None:
        cdi = self._watches.owners.cache.get(key)
        if cdi is None:
            return None
        self._note_readiness(cdi)
        try:
            seen = await self._observe(cdi)
            return await self._actor.act(decide.decide(seen), cdi)
        except errors.KubeError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Something in an object is not as it has to be: whoever wrote it has to hear of it.
            log.exception("pass failed")
            await self._actor.report(cdi, error)
            raise

    def _note_readiness(self, cdi: Object) -> None:
        self._ready = status.ready_value(cdi, self._ready)
        self._readiness(self._ready)

    async def _observe(self, cdi: Object) -> Seen:
        current = self._watches.current()
        installed = self._watches.owners.cache.list()
        return Seen(
            cdi=cdi,
            settings=self._settings,
            now=self._clock.wall(),
            others=tuple(each for each in installed if objects.uid(each) != objects.uid(cdi)),
            current=current,
            facts=await self._facts(cdi, current),
            configs=await self._configs(cdi),
            own_definition=await self._own_definition(),
            routes=tuple(self._watches.all_of(kinds.ROUTES)),
        )

    async def _facts(self, cdi: Object, current: dict[Ref, Object]) -> Facts:
        namespace = self._settings.namespace
        controller = current.get(Ref("Deployment", namespace, deployments.CONTROLLER))
        constraints = current.get(Ref(CONSTRAINTS.kind, "", openshift.CONSTRAINTS))

        def authority(name: str) -> str:
            found = current.get(Ref("ConfigMap", namespace, name))
            return str(objects.get(found, "data", chains.BUNDLE_KEY, default=""))

        has = self._watches.has
        return Facts(
            priority_class_exists=await self._exists_priority(priority_class_of(cdi)),
            api_authority=authority(chains.API_SERVER.bundle),
            proxy_authority=authority(chains.UPLOAD_PROXY.bundle),
            has_monitoring=has(PROMETHEUS_RULES) and has(SERVICE_MONITORS),
            has_constraints=has(CONSTRAINTS),
            has_routes=has(kinds.ROUTES),
            has_populators=has(kinds.POPULATORS),
            constrained_users=tuple((constraints or {}).get("users") or ()),
            controller_ready=controller is not None and is_deployed(controller),
        )

    async def _exists_priority(self, name: str) -> bool:
        try:
            await self._client.get(kinds.PRIORITY_CLASSES, name)
        except errors.ApiError:
            return False
        return True

    async def _configs(self, cdi: Object) -> tuple[Object, ...]:
        """CDIConfigs, for a CDI object that has not spoken yet."""
        if objects.get(cdi, "spec", "config") is not None:
            return ()
        try:
            return (await self._client.get(kinds.CDI_CONFIGS, names.CDI_CONFIG),)
        except errors.NotFound:
            return ()

    async def _own_definition(self) -> Object | None:
        try:
            return await self._client.get(CUSTOM_RESOURCE_DEFINITIONS, _OWN_DEFINITION)
        except errors.ApiError:
            return None
