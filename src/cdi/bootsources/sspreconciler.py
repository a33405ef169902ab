"""
Observe an SSP, decide, act.

Where SSP's own operator or a HyperConverged operator is at work, nothing is done.
"""

from __future__ import annotations

import contextlib
from typing import Final

from cdi.api import labels
from cdi.bootsources import act, fixed, kinds, others, sspdecide
from cdi.bootsources.settings import golden_namespace
from cdi.bootsources.watches import Watches
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object

_OTHERS: Final = (*others.HYPERCONVERGED, *others.SSP)
_OPENSHIFT: Final = "/apis/route.openshift.io/v1"


class Reconciler:
    """Keys are those of SSPs."""

    def __init__(self, client: Client, watches: Watches, clock: Clock, *, policies: bool) -> None:
        self._client = client
        self._watches = watches
        self._clock = clock
        self._policies = policies
        self._openshift: bool | None = None  # until it has been asked

    async def reconcile(self, key: Key) -> Result | None:
        found = self._watches.ssps.cache.get(key)
        if found is None:
            return None
        if await others.at_work(self._client, _OTHERS, key.namespace):
            return Result(again_in=others.LOOK_AGAIN)
        seen = await self._observe(found)
        await act.act(self._client, kinds.SSPS, found, sspdecide.decide(seen), seen.now)
        return None

    def keys_of_anything(self, _: Object) -> list[Key]:
        return list(self._watches.ssps.cache.keys())

    def keys_of_claim(self, claim: Object) -> list[Key]:
        """A claim may opt out a DataSource that is beside it."""
        beside = objects.namespace(claim)
        found = self.keys_of_anything(claim)
        return [key for key in found if golden_namespace(key.namespace) == beside]

    async def _observe(self, found: Object) -> sspdecide.Seen:
        watches = self._watches
        ending = objects.is_deleting(found)
        namespace = golden_namespace(objects.namespace(found))
        return sspdecide.Seen(
            ssp=found,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            crons=watches.crons.cache.list(),
            data_sources=watches.data_sources.cache.list(),
            claims=frozenset(watches.claims.cache.keys()),
            fixtures=await self._fixtures(namespace) if ending else (),
            disks=await self._disks(namespace) if ending else (),
            policies=self._policies,
            openshift=await self._on_openshift(),
        )

    async def _on_openshift(self) -> bool:
        if self._openshift is None:
            try:
                await self._client.raw("GET", _OPENSHIFT)
                self._openshift = True
            except errors.NotFound:
                self._openshift = False
        return self._openshift

    async def _fixtures(self, golden: str) -> list[Object]:
        """What of the fixed objects is there; those first that lie within others."""
        wanted = [
            *fixed.network_policies(golden),
            *reversed(fixed.objects_for(golden)),
        ]
        there = []
        for each in wanted:
            namespace, name = objects.key(each)
            resource = act.RESOURCES[each["kind"]]
            try:
                found = await self._client.get(resource, name, namespace or None)
            except errors.NotFound:
                continue
            there.append({**found, "kind": each["kind"]})
        return there

    async def _disks(self, golden: str) -> list[str]:
        """Claims and snapshots among the boot images that go with no cron."""
        found = [
            each for each in self._watches.claims.cache.list() if objects.namespace(each) == golden
        ]
        with contextlib.suppress(errors.NotFound):  # a cluster without snapshots
            found += await self._client.list(kinds.SNAPSHOTS, golden)
        return [
            objects.name(each)
            for each in found
            if not objects.is_deleting(each)
            and objects.labels(each).get(labels.DATA_IMPORT_CRON_CLEANUP) != "true"
        ]
