"""One pass for one HostPathProvisioner: look, decide, act. Elsewhere: each of the three."""

from __future__ import annotations

from collections.abc import Callable

from cdi.hostpath.operator import decide, status
from cdi.hostpath.operator.act import Actor
from cdi.hostpath.operator.decide import Seen
from cdi.hostpath.operator.inventory.installed import Facts
from cdi.hostpath.operator.settings import Settings
from cdi.kube import objects
from cdi.kube.controller import Result
from cdi.kube.installing.watches import Watches
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CONSTRAINTS, PROMETHEUS_RULES, SERVICE_MONITORS


class Reconciler:
    """Keeps installations. `readiness` is told the value of metric kubevirt_hpp_cr_ready."""

    def __init__(
        self,
        settings: Settings,
        watches: Watches,
        actor: Actor,
        readiness: Callable[[int], None],
    ) -> None:
        self._settings, self._watches, self._actor = settings, watches, actor
        self._readiness = readiness
        self._ready = status.UNKNOWN_READY

    async def reconcile(self, key: Key) -> Result | None:
        """Take one object one step further."""
        provisioner = self._watches.owners.cache.get(key)
        if provisioner is None:
            return None
        self._ready = status.ready_value(provisioner, self._ready)
        self._readiness(self._ready)
        return await self._actor.act(decide.decide(self._observe(provisioner)), provisioner)

    def _observe(self, provisioner: Object) -> Seen:
        known = self._watches.owners.cache.list()
        has = self._watches.has
        return Seen(
            provisioner=provisioner,
            settings=self._settings,
            others=tuple(each for each in known if objects.uid(each) != objects.uid(provisioner)),
            current=self._watches.current(),
            facts=Facts(
                has_constraints=has(CONSTRAINTS),
                has_monitoring=has(PROMETHEUS_RULES) and has(SERVICE_MONITORS),
            ),
        )
