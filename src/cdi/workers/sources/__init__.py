"""
How an importer reaches each kind of source: one module a kind, each with a `prepare`.

`prepare(order, place, halt)` is a context manager that yields a `SourceSpec`; what it holds on to
(a session, a ticket, a child process) goes when the block ends, however it ends. Waits end when
`halt` is set. Raises SourceError, InvalidRequest. No secret of an order is ever logged.

Modules are loaded when they are needed: an importer has one source, and should start fast.
"""

from __future__ import annotations

import importlib
import threading
from contextlib import AbstractContextManager
from typing import Final, Protocol, cast

from cdi.api.place import Place
from cdi.api.workorder import WorkOrder
from cdi.images.sources.spec import SourceSpec

CONNECTIONS: Final = 16  # at most, to one source


class Preparer(Protocol):
    """Opens what an order names."""

    def __call__(
        self, order: WorkOrder, place: Place, halt: threading.Event
    ) -> AbstractContextManager[SourceSpec]: ...


_MODULES: Final = {
    "gcs": "gcs",
    "http": "http",
    "imageio": "imageio",
    "s3": "s3",
    "registry": "registry",
    "vddk": "vddk",
}


def preparer_for(order: WorkOrder) -> Preparer | None:
    """Return what opens the source of `order`; None for a kind that is not known here."""
    name = "nodepull" if order.pull_method else _MODULES.get(order.source)
    if name is None:
        return None
    return cast(Preparer, importlib.import_module(f"{__name__}.{name}").prepare)
