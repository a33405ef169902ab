"""
The operator, wired to what it watches, as parts for a `cdi.kube` manager.

One operator of several works, the one that holds the lease; the others wait with full caches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdi.hostpath.operator.act import Actor
from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.reconciler import Reconciler
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.watches import Watches
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Metrics
from cdi.kube.events import Recorder
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager

LEASE: Final = "hostpath-provisioner-operator-lock"


class Operator:
    """All parts, over one client."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        readiness: Callable[[int], None] = lambda _: None,
    ) -> None:
        clock = clock or SystemClock()
        self.watches = Watches(client, settings.namespace, clock)
        self._elector = Elector(client, settings.namespace, LEASE, clock=clock)
        self._recorder = Recorder(client, marks.OPERATOR_NAME, clock=clock)
        actor = Actor(client, settings, self._recorder, clock)
        reconciler = Reconciler(settings, self.watches, actor, readiness)
        self._controller = Controller(
            "hostpath-provisioner", reconciler.reconcile, metrics=metrics, clock=clock
        )

        def note(change: Change) -> None:
            for state in change.states:
                for key in reconciler.keys_of_anything(state):
                    self._controller.queue.add(key)

        self.watches.on_change(note)

    @property
    def synced(self) -> bool:
        """Whether everything that is watched is known."""
        return all(each.synced for each in self.watches.informers)

    def add_to(self, manager: Manager) -> None:
        """Register all parts."""
        manager.add(Group.SUPPORT, self._recorder)
        manager.add(Group.CACHES, *self.watches.informers, self.watches.optional)
        manager.add(Group.ELECTION, self._elector)
        manager.add(Group.LEADER, self._controller)
