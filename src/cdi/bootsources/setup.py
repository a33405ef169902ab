"""Boot sources, wired to what they watch, as parts for a `cdi.kube` manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.bootsources import common, sspreconciler, webhooks
from cdi.bootsources.metrics import BootMetrics
from cdi.bootsources.reconciler import Reconciler
from cdi.bootsources.watches import Watches
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Metrics, own_key
from cdi.kube.informer import Informer
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager

LEASE: Final = "cdi-bootsources-leader-election-helper"


class BootSources:
    """All parts, over one client."""

    def __init__(
        self,
        client: Client,
        shipped: common.Shipped,
        *,
        given: Mapping[str, Informer] | None = None,
        metrics: Metrics | None = None,
        shown: BootMetrics | None = None,
        clock: Clock | None = None,
        policies: bool = True,
        asking_in: str = "",
    ) -> None:
        """`given` as in `Watches`; `policies`, whether network policies mean anything.

        `metrics` are those of controllers, `shown` those of a HyperConverged.

        `asking_in` is the namespace of the installation whose API server is to be asked about
        what is written; empty where somebody asks anyway.
        """
        clock = clock or SystemClock()
        watches = self.watches = Watches.on(client, given or {}, clock)
        made = Reconciler(client, watches, shipped, clock, shown or BootMetrics())
        hyperconverged = Controller("bootsources", made.reconcile, metrics=metrics, clock=clock)
        hyperconverged.watch(watches.hyperconvergeds, own_key)
        for informer in (watches.installations, watches.ssps, watches.nodes):
            hyperconverged.watch(informer, made.keys_of_anything)
        images = sspreconciler.Reconciler(client, watches, clock, policies=policies)
        ssp = Controller("ssp", images.reconcile, metrics=metrics, clock=clock)
        ssp.watch(watches.ssps, own_key)
        for informer in (watches.crons, watches.data_sources):
            ssp.watch(informer, images.keys_of_anything)
        ssp.watch(watches.claims, images.keys_of_claim)
        self._controllers = [hyperconverged, ssp]
        self._informers = list(watches.own)
        if asking_in:
            authorities = webhooks.informer(client, asking_in)
            told = webhooks.Reconciler(client, authorities)
            asking = Controller("webhooks", told.reconcile, metrics=metrics, clock=clock)
            asking.watch(authorities, own_key)
            self._controllers.append(asking)
            self._informers.append(authorities)

    @property
    def synced(self) -> bool:
        """Whether everything that is watched has been seen once."""
        return all(each.synced for each in self._informers)

    def add_to(self, manager: Manager, elector: Elector | None = None) -> None:
        """Register all parts; with an elector, they work while this process leads."""
        manager.add(Group.CACHES, *self._informers)
        if elector is None:
            manager.add(Group.CONTROLLERS, *self._controllers)
            return
        manager.add(Group.ELECTION, elector)
        manager.add(Group.LEADER, *self._controllers)
