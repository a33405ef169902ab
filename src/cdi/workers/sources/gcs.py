"""
An object in Google Cloud Storage: gs://bucket/object, or http(s)://host/bucket/object.

Credentials are a file in a mount; without one the object is asked for anonymously. Raises
InvalidRequest for a file that cannot be read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import errors
from cdi.images.sources.objects import gcs
from cdi.images.sources.objects.access import GoogleAccess
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources import http, s3


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the object that the order names; see `sources`."""
    del halt  # nothing is asked of the store before the source is opened
    options = s3.options_for(order, settings)
    access = GoogleAccess(credentials=_credentials(order, settings))
    yield SourceSpec(
        open=lambda halt: gcs.open_object(order.endpoint, access, options, halt),
        checksum=http.checksum_of(order),
    )


def _credentials(order: WorkOrder, settings: WorkerSettings) -> str:
    if not order.google_credentials:
        return ""
    try:
        return settings.local(order.google_credentials).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.InvalidRequest(
            f"the Google credentials in {order.google_credentials} cannot be read: "
            f"{type(error).__name__}; the Secret needs the key credentials.json"
        ) from error
