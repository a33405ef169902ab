"""
A disk in a container image, which the importer fetches from its registry itself.

Credentials are user and password of the order, or the mounted `.dockerconfigjson` of its Secret.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import errors
from cdi.images.sources import registry
from cdi.images.sources.registry.credentials import Credentials
from cdi.images.sources.registry.manifest import Platform
from cdi.images.sources.registry.platforms import LINUX
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources import http

_AUTH_FILES = (".dockerconfigjson", ".dockercfg")


@contextmanager
def prepare(
    order: WorkOrder, settings: WorkerSettings, halt: threading.Event
) -> Iterator[SourceSpec]:
    """Yield the disk in the order's image; see `sources`."""
    yield registry.open_image(wanted(order, settings), halt)


def wanted(order: WorkOrder, settings: WorkerSettings) -> registry.Wanted:
    """Return the image that an order means, and how it is reached. Raises InvalidRequest."""
    if order.checksum:
        raise errors.InvalidRequest(
            "images are verified by their own digests, a checksum is not taken; "
            "name the image by its digest: docker://host/repository@sha256:..."
        )
    options = http.options_for(order, settings)
    return registry.Wanted(
        url=order.endpoint,
        options=dataclasses.replace(options, headers=(), secret_headers=()),
        credentials=Credentials(order.access_key_id, order.secret_key),
        auth_file=_auth_file(settings.registry_dir),
        platform=Platform(LINUX, order.architecture) if order.architecture else None,
    )


def _auth_file(directory: Path) -> Path | None:
    return next((directory / name for name in _AUTH_FILES if (directory / name).is_file()), None)
