"""
An operator's reconciler, wired to what it watches, as parts for a manager.

One operator of several works, the one that holds the lease; the others wait with full caches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cdi.kube import objects
from cdi.kube.cache import Change
from cdi.kube.clock import Clock
from cdi.kube.controller import Controller, Metrics, Result
from cdi.kube.events import Recorder
from cdi.kube.installing.watches import Watches
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key


class Installer:
    """All parts of one operator. Whatever changes, every owner may have something to do."""

    def __init__(
        self,
        name: str,
        reconcile: Callable[[Key], Awaitable[Result | None]],
        watches: Watches,
        elector: Elector,
        recorder: Recorder,
        *,
        clock: Clock,
        metrics: Metrics | None = None,
    ) -> None:
        self.elector = elector
        self.watches, self._recorder = watches, recorder
        self._controller = Controller(name, reconcile, metrics=metrics, clock=clock)
        watches.on_change(self._note)

    def _note(self, _: Change) -> None:
        for each in self.watches.owners.cache.list():
            self._controller.queue.add(objects.key(each))

    @property
    def synced(self) -> bool:
        """Whether everything that is watched is known."""
        return self.watches.synced

    def add_to(self, manager: Manager) -> None:
        """Register all parts."""
        manager.add(Group.SUPPORT, self._recorder)
        manager.add(Group.CACHES, *self.watches.informers, self.watches.optional)
        manager.add(Group.ELECTION, self.elector)
        manager.add(Group.LEADER, self._controller)
