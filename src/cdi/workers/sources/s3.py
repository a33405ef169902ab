"""
An object in S3: scheme://host/bucket/key, where the scheme http means no TLS and any other TLS.

Without credentials the object is asked for anonymously. Certificates are always verified.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images.http.options import HttpOptions
from cdi.images.sources.objects import s3
from cdi.images.sources.objects.access import Keys, S3Access
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources import http


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the object that the order names; see `sources`."""
    del halt  # nothing is asked of the store before the source is opened
    options = options_for(order, settings)
    access = S3Access(keys=_keys(order))
    yield SourceSpec(
        open=lambda halt: s3.open_at_host(order.endpoint, access, options, halt),
        checksum=http.checksum_of(order),
    )


def options_for(order: WorkOrder, settings: WorkerSettings) -> HttpOptions:
    """Return trust and proxies of the order; its credentials are not for basic authentication."""
    options = http.options_for(order, settings)
    return replace(options, user="", password="", headers=(), secret_headers=(), insecure=False)


def _keys(order: WorkOrder) -> Keys | None:
    if not order.access_key_id and not order.secret_key:
        return None
    return Keys(order.access_key_id, order.secret_key, order.session_token)
