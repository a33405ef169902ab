"""
Observe the HyperConverged, decide, act.

Where another operator keeps it, which is told by that operator's Deployment, nothing is done.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from cdi.api import labels, names
from cdi.bootsources import act, decide, kinds, measures, others, streams
from cdi.bootsources.common import Shipped
from cdi.bootsources.metrics import BootMetrics
from cdi.bootsources.nodes import architectures_of
from cdi.bootsources.overwriting import Overwriting
from cdi.bootsources.watches import Watches
from cdi.kube import errors
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object

_OF_OURS: Final = f"{labels.MANAGED_BY}={streams.MANAGER}"
_MONITORING: Final = f"/apis/{kinds.PROMETHEUS_RULES.api_version}"


class Reconciler:
    """Keys are those of HyperConvergeds; only one of the known name counts."""

    def __init__(
        self,
        client: Client,
        watches: Watches,
        shipped: Shipped,
        clock: Clock,
        shown: BootMetrics,
        *,
        draw: Callable[[], str] | None = None,
    ) -> None:
        self._client = client
        self._watches = watches
        self._shipped = shipped
        self._clock = clock
        self._shown = shown
        self._overwriting = Overwriting(shown)
        self._draw = draw or drawn_schedule

    async def reconcile(self, key: Key) -> Result | None:
        found = self._watches.hyperconvergeds.cache.get(key)
        if key.name != names.HYPERCONVERGED:
            return None
        if found is None:
            self._shown.show(measures.NOTHING)
            return None
        if await others.at_work(self._client, others.HYPERCONVERGED, key.namespace):
            self._shown.show(measures.NOTHING)
            return Result(again_in=others.LOOK_AGAIN)
        seen = await self._observe(found)
        wanted = decide.decide(seen)
        self._shown.show(measures.measures_of(found, wanted.status, seen.architectures))
        await act.act(
            self._client, kinds.HYPERCONVERGEDS, found, wanted, seen.now, self._overwriting
        )
        return None

    def keys_of_anything(self, _: Object) -> list[Key]:
        return list(self._watches.hyperconvergeds.cache.keys())

    async def _observe(self, found: Object) -> decide.Seen:
        watches = self._watches
        key = Key(str(found["metadata"]["namespace"]), names.SSP)
        return decide.Seen(
            hyperconverged=found,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            drawn=self._draw(),
            common=self._shipped.templates,
            architectures=architectures_of(watches.nodes.cache.list()),
            installations=watches.installations.cache.list(),
            ssp=watches.ssps.cache.get(key),
            shipped_streams=self._shipped.streams,
            streams=await self._streams(),
            monitored=await self._monitored(),
        )

    async def _monitored(self) -> bool:
        """Whether there are PrometheusRules: Prometheus' operator may come at any time."""
        try:
            await self._client.raw("GET", _MONITORING)
        except errors.NotFound:
            return False
        return True

    async def _streams(self) -> list[Object]:
        """ImageStreams of ours, where there may be any: few clusters know them."""
        if not self._shipped.streams:
            return []
        try:
            found = await self._client.list(kinds.IMAGE_STREAMS, labels=_OF_OURS)
        except errors.NotFound:
            return []
        return [{"kind": streams.KIND, **each} for each in found]


def drawn_schedule() -> str:
    """Twice a day, at a time of this cluster's own: registries serve many clusters."""
    return f"{random.randrange(60)} {random.randrange(12)}/12 * * *"  # noqa: S311 - no secret
