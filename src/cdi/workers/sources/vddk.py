"""
A disk of a virtual machine in vSphere, whole or what changed since a checkpoint.

The library is where the init container put it, its arguments where the ConfigMap is mounted.
Credentials are those of the Secret: user and password. See `images.sources.vddk`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images.http.options import HttpOptions
from cdi.images.sources import nbd
from cdi.images.sources.spec import SourceSpec
from cdi.images.sources.vddk import prepare as disks
from cdi.images.sources.vddk.access import Credentials
from cdi.images.sources.vddk.command import Library

# nbdkit itself asks VMware's library again for a minute or two, before it says that it failed.
_RETRIES_OF_NBDKIT: Final = 120.0  # seconds


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the disk that the order names; see `sources`."""
    with disks.open_disk(request_for(order, settings), halt) as found:
        yield found


def request_for(order: WorkOrder, settings: WorkerSettings) -> disks.Request:
    """Return what an order says of its disk."""
    trusted = HttpOptions(
        ca_dirs=(settings.local(order.cert_dir),) if order.cert_dir else (),
        insecure=order.insecure_tls,
    )
    return disks.Request(
        url=order.endpoint,
        uuid=order.uuid,
        backing_file=order.backing_file,
        credentials=Credentials(
            user=order.access_key_id,
            password=order.secret_key,
            thumbprint=order.thumbprint,
            trusted=trusted,
        ),
        library=Library(settings.vddk_dir, settings.vddk_args_dir),
        current=order.current_checkpoint,
        previous=order.previous_checkpoint,
        settings=nbd.Settings(stall=settings.stall_timeout + _RETRIES_OF_NBDKIT),
    )
