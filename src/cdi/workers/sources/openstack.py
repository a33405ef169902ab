"""
An image of OpenStack for its populator: the identity service is the endpoint, `disk_id` the image.

What the Secret may say is in `images/sources/openstack/credentials.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images.sources.openstack.prepare import prepare as prepared
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources import populators


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the image; see `sources`."""
    given = populators.keys_of(settings.populator_dir)
    options = populators.options_for(order, settings, given)
    yield prepared(order.endpoint, order.disk_id, given, options, halt)
