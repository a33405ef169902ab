"""Boot sources, wired to what they watch, as parts for a `cdi.kube` manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cdi.bootsources import common
from cdi.bootsources.reconciler import Reconciler
from cdi.bootsources.watches import Watches
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Metrics, own_key
from cdi.kube.informer import Informer
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Object

LEASE: Final = "cdi-bootsources-leader-election-helper"


class BootSources:
    """All parts, over one client."""

    def __init__(
        self,
        client: Client,
        templates: Sequence[Object] | None = None,
        *,
        given: Mapping[str, Informer] | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        policies: bool = True,
    ) -> None:
        """`templates` take the place of those that are shipped; `given` as in `Watches`."""
        clock = clock or SystemClock()
        self.watches = Watches.on(client, given or {}, clock)
        made = Reconciler(
            client,
            self.watches,
            common.shipped() if templates is None else templates,
            clock,
            policies=policies,
        )
        self._controller = Controller("bootsources", made.reconcile, metrics=metrics, clock=clock)
        self._controller.watch(self.watches.hyperconvergeds, own_key)
        for informer in (
            self.watches.installations,
            self.watches.crons,
            self.watches.data_sources,
            self.watches.nodes,
        ):
            self._controller.watch(informer, made.keys_of_anything)
        self._controller.watch(self.watches.claims, made.keys_of_claim)

    def add_to(self, manager: Manager, elector: Elector | None = None) -> None:
        """Register all parts; with an elector, they work while this process leads."""
        manager.add(Group.CACHES, *self.watches.own)
        if elector is None:
            manager.add(Group.CONTROLLERS, self._controller)
            return
        manager.add(Group.ELECTION, elector)
        manager.add(Group.LEADER, self._controller)
