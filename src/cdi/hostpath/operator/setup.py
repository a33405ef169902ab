"""The operator, wired to what it watches, as parts for a `cdi.kube` manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdi.hostpath.operator.act import Actor
from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.kinds import KINDS
from cdi.hostpath.operator.reconciler import Reconciler
from cdi.hostpath.operator.settings import Settings
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Metrics
from cdi.kube.events import Recorder
from cdi.kube.installing.setup import Installer
from cdi.kube.installing.watches import Watches
from cdi.kube.installing.writer import Writer
from cdi.kube.leader import Elector

LEASE: Final = "hostpath-provisioner-operator-lock"
_CONTROLLER: Final = "hostpath-provisioner"


def operator(
    client: Client,
    settings: Settings,
    *,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    readiness: Callable[[int], None] = lambda _: None,
) -> Installer:
    """All parts, over one client. `readiness` is told the value of metric kubevirt_hpp_cr_ready."""
    clock = clock or SystemClock()
    recorder = Recorder(client, marks.OPERATOR_NAME, clock=clock)
    watches = Watches(client, KINDS, settings.namespace, clock)
    writer = Writer(client, KINDS, settings.version, recorder)
    reconciler = Reconciler(settings, watches, Actor(client, writer, clock), readiness)
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
