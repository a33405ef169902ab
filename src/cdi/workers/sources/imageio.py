"""
A disk of oVirt: through its engine and the imageio daemon of a host.

The image transfer that serves the bytes lives as long as the block: it is finalized where the
disk has arrived, and cancelled where it has not. With two checkpoints it is for the changes
between them, which are written over the disk that is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import ARCHIVE, WorkOrder
from cdi.images import errors
from cdi.images.sources.imageio import catalog
from cdi.images.sources.imageio.prepare import prepare as prepared
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import journalfile, resuming
from cdi.workers.sources import http


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the disk of the order's `disk_id`; see `sources`."""
    if order.content_type == ARCHIVE:
        raise errors.InvalidRequest("an imageio source has disks and no archives; use `kubevirt`")
    wanted = catalog.WantedDisk(order.disk_id, order.current_checkpoint, order.previous_checkpoint)
    options = http.options_for(order, settings)
    # The journal of a block volume goes with its container.
    noted = resuming.source_of(journalfile.journal_path(settings.data_dir / "disk.img"))
    with prepared(order.endpoint, wanted, options, halt, noted) as found:
        yield found
