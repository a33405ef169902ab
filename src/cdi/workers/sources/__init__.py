"""
How an importer reaches each kind of source: one module a kind, each with a `prepare`.

`prepare(order, settings, halt)` is a context manager that yields a `SourceSpec`; what it holds on
to (a session, a ticket, a child process) goes when the block ends, however it ends. Waits end when
`halt` is set. Raises SourceError, InvalidRequest. No secret of an order is ever logged.

Modules are loaded when they are needed: an importer has one source, and should start fast.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Protocol

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images.sources.spec import SourceSpec


class Preparer(Protocol):
    """Opens what an order names."""

    def __call__(
        self, order: WorkOrder, settings: WorkerSettings, halt: threading.Event
    ) -> AbstractContextManager[SourceSpec]: ...


def preparer_for(order: WorkOrder) -> Preparer | None:
    """Return what opens the source of `order`; None for a kind that is not known here."""
    kind = "nodepull" if order.pull_method else order.source
    if kind == "gcs":
        from cdi.workers.sources import gcs

        return gcs.prepare
    if kind == "http":
        from cdi.workers.sources import http

        return http.prepare
    if kind == "imageio":
        from cdi.workers.sources import imageio

        return imageio.prepare
    if kind == "nodepull":
        from cdi.workers.sources import nodepull

        return nodepull.prepare
    if kind == "openstack":
        from cdi.workers.sources import openstack

        return openstack.prepare
    if kind == "ovirt":
        from cdi.workers.sources import ovirt

        return ovirt.prepare
    if kind == "s3":
        from cdi.workers.sources import s3

        return s3.prepare
    if kind == "registry":
        from cdi.workers.sources import registry

        return registry.prepare
    if kind == "vddk":
        from cdi.workers.sources import vddk

        return vddk.prepare
    return None
