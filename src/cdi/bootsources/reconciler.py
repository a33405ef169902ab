"""
Observe the HyperConverged, decide, act.

Where another operator keeps it, which is told by that operator's Deployment, nothing is done.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Final

from cdi.api import names
from cdi.bootsources import decide, kinds
from cdi.bootsources.settings import GOLDEN_NAMESPACE
from cdi.bootsources.watches import Watches
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Key, Object
from cdi.kube.resource import DEPLOYMENTS, NAMESPACES, Resource

log = logging.getLogger(__name__)

_OTHERS: Final = ("hyperconverged-cluster-operator", "hco-operator")
_LOOK_AGAIN: Final = 300.0  # seconds; for an operator that comes or goes, which nobody tells of
_ARCHITECTURE: Final = "kubernetes.io/arch"
_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_RESOURCES: Final = {
    each.kind: each
    for each in (
        NAMESPACES,
        kinds.CDIS,
        kinds.CRONS,
        kinds.DATA_SOURCES,
        kinds.ROLES,
        kinds.ROLE_BINDINGS,
        kinds.CLUSTER_ROLES,
        kinds.NETWORK_POLICIES,
    )
}


class Reconciler:
    """Keys are those of HyperConvergeds; only one of the known name counts."""

    def __init__(
        self,
        client: Client,
        watches: Watches,
        common: Sequence[Object],
        clock: Clock,
        *,
        policies: bool,
        draw: Callable[[], str] | None = None,
    ) -> None:
        self._client = client
        self._watches = watches
        self._common = tuple(common)
        self._clock = clock
        self._policies = policies
        self._draw = draw or drawn_schedule

    async def reconcile(self, key: Key) -> Result | None:
        found = self._watches.hyperconvergeds.cache.get(key)
        if found is None or key.name != names.HYPERCONVERGED:
            return None
        if other := await self._other_operator(key.namespace):
            log.info("another operator keeps boot images", extra={"deployment": other})
            return Result(again_in=_LOOK_AGAIN)
        seen = self._observe(found)
        await self._act(seen, decide.decide(seen))
        return None

    def keys_of_anything(self, _: Object) -> list[Key]:
        return list(self._watches.hyperconvergeds.cache.keys())

    def keys_of_claim(self, claim: Object) -> list[Key]:
        """A claim may opt out a DataSource that is beside it."""
        golden = objects.namespace(claim) == GOLDEN_NAMESPACE
        return self.keys_of_anything(claim) if golden else []

    def _observe(self, found: Object) -> decide.Seen:
        watches = self._watches
        return decide.Seen(
            hyperconverged=found,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            drawn=self._draw(),
            common=self._common,
            architectures=architectures_of(watches.nodes.cache.list()),
            installations=watches.installations.cache.list(),
            crons=watches.crons.cache.list(),
            data_sources=watches.data_sources.cache.list(),
            claims=frozenset(watches.claims.cache.keys()),
            policies=self._policies,
        )

    async def _other_operator(self, namespace: str) -> str:
        for name in _OTHERS:
            try:
                await self._client.get(DEPLOYMENTS, name, namespace)
            except errors.NotFound:
                continue
            return name
        return ""

    async def _act(self, seen: decide.Seen, plan: decide.Plan) -> None:
        """First the object itself, which is held, then children; the status last."""
        found = seen.hyperconverged
        if plan.hyperconverged is not None and not objects.is_deleting(found):
            done = await apply.ensure_state(
                self._client, kinds.HYPERCONVERGEDS, found, plan.hyperconverged
            )
            found = done.object
        refused = [said for wanted in plan.ensure if (said := await self._refusal_of(wanted))]
        for doomed in plan.remove:
            await apply.ensure_absent(self._client, _RESOURCES[doomed["kind"]], doomed)
        status = decide.refused(seen, plan.status, refused) if refused else plan.status
        if status is not None and status != found.get("status"):
            await apply.ensure_status(self._client, kinds.HYPERCONVERGEDS, found, status)
        if plan.hyperconverged is not None and objects.is_deleting(found) and not plan.remove:
            await apply.ensure_state(
                self._client, kinds.HYPERCONVERGEDS, found, plan.hyperconverged
            )

    async def _refusal_of(self, wanted: Object) -> str:
        """Ensure an object; return why the server does not take it, which ends nothing else."""
        try:
            await self._ensure(_RESOURCES[wanted["kind"]], wanted)
        except errors.ApiError as error:
            if error.transient or isinstance(error, errors.Conflict):
                raise
            return f"{wanted['kind']} {objects.name(wanted)}: {error}"
        return ""

    async def _ensure(self, resource: Resource, wanted: Object) -> None:
        namespace, name = objects.key(wanted)
        try:
            found = await self._client.get(resource, name, namespace or None)
        except errors.NotFound:
            try:
                await self._client.create(resource, merged({}, wanted))
            except errors.AlreadyExists:
                return
            return
        if objects.is_deleting(found):
            return
        await apply.ensure_state(self._client, resource, found, merged(found, wanted))


def drawn_schedule() -> str:
    """Twice a day, at a time of this cluster's own: registries serve many clusters."""
    return f"{random.randrange(60)} {random.randrange(12)}/12 * * *"  # noqa: S311 - no secret


def architectures_of(nodes: Sequence[Object]) -> tuple[str, ...]:
    """The architectures of a cluster; those of its control plane come first."""
    ordered = sorted(
        nodes, key=lambda node: not any(each in objects.labels(node) for each in _CONTROL_PLANE)
    )
    found = [objects.labels(node).get(_ARCHITECTURE, "") for node in ordered]
    return tuple(dict.fromkeys(filter(None, found))) or ("amd64",)
