"""
A disk of oVirt: through its engine and the imageio daemon of a host.

The image transfer that serves the bytes lives as long as the supply: it is finalized where the
disk has arrived, and cancelled where it has not. With two checkpoints it is for the changes
between them, which are written over the disk that is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.api.place import Place
from cdi.api.workorder import ARCHIVE, WorkOrder
from cdi.images import errors
from cdi.images.sources.imageio import catalog, supplied
from cdi.images.sources.supply import Supply
from cdi.images.transfer import journal
from cdi.workers.supplies import http


@contextmanager
def supply(order: WorkOrder, place: Place, halt: threading.Event) -> Iterator[Supply]:
    """Yield the disk of the order's `disk_id`; see `supplies`."""
    if order.content_type == ARCHIVE:
        raise errors.InvalidRequest("an imageio source has disks and no archives; use `kubevirt`")
    wish = catalog.Wish(order.disk_id, order.current_checkpoint, order.previous_checkpoint)
    options = http.options_for(order, place)
    # The journal of a block volume goes with its container.
    noted = journal.Journal.source_of(journal.journal_path(place.data_dir / "disk.img"))
    with supplied.supplied(order.endpoint, wish, options, halt, noted) as found:
        yield found
