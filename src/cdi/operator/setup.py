"""The operator, wired to what it watches, as parts for a `cdi.kube` manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Metrics
from cdi.kube.events import Recorder
from cdi.kube.installing.setup import Installer
from cdi.kube.installing.watches import Watches
from cdi.kube.installing.writer import Writer
from cdi.kube.leader import Elector
from cdi.operator import takeover
from cdi.operator.act import Actor
from cdi.operator.kinds import KINDS
from cdi.operator.reconciler import Reconciler
from cdi.operator.settings import Settings

LEASE: Final = "cdi-operator-leader-election-helper"
_CONTROLLER: Final = "cdi-operator-controller"
_COMPONENT: Final = "operator-controller"


def operator(
    client: Client,
    settings: Settings,
    *,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    readiness: Callable[[int], None] = lambda _: None,
) -> Installer:
    """All parts, over one client. `readiness` is told the value of metric kubevirt_cdi_cr_ready."""
    clock = clock or SystemClock()
    watches = Watches(client, KINDS, settings.namespace, clock)
    recorder = Recorder(client, _COMPONENT, clock=clock)
    writer = Writer(client, KINDS, settings.version, recorder, takeover.released)
    actor = Actor(client, settings, writer, clock)
    reconciler = Reconciler(client, settings, watches, actor, clock, readiness)
    elector = Elector(client, settings.namespace, LEASE, clock=clock)
    return Installer(
        _CONTROLLER,
        reconciler.reconcile,
        watches,
        elector,
        recorder,
        clock=clock,
        metrics=metrics,
    )
