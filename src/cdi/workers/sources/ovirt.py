"""
A disk of oVirt for its populator: as an imageio source, with the populator's own kind of Secret.

Its keys are `user` and `password`, `cacert` and `insecureSkipVerify`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import errors
from cdi.images.sources.imageio import catalog
from cdi.images.sources.imageio.prepare import prepare as prepared
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import journalfile, resuming
from cdi.workers.sources import populators


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the disk of the order's `disk_id`; see `sources`."""
    given = populators.keys_of(settings.populator_dir)
    user, password = given.get("user", ""), given.get("password", "")
    if not user or not password:
        raise errors.InvalidRequest(
            "the Secret needs user and password; the user with its domain, such as admin@internal"
        )
    options = populators.options_for(order, settings, given)
    options = replace(options, user=user, password=password)
    noted = resuming.source_of(journalfile.journal_path(settings.data_dir / "disk.img"))
    wanted = catalog.WantedDisk(order.disk_id)
    with prepared(order.endpoint, wanted, options, halt, noted) as found:
        yield found
