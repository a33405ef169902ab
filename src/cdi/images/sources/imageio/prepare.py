"""
A leased image as a source, for whoever runs the transfer.

`named` is for people: `imageio+https://ENGINE/ovirt-engine/api/disks/ID`, which is the disk's own
address in the engine's API, with `#SNAPSHOT` for one of its snapshots. Raises InvalidRequest,
SourceError.
"""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.imageio import source
from cdi.images.sources.imageio.catalog import WantedDisk
from cdi.images.sources.imageio.lease import Lease, leased
from cdi.images.sources.source import Identity
from cdi.images.sources.spec import SourceSpec

_SCHEME = "imageio+"


@contextmanager
def prepare(
    url: str,
    wanted: WantedDisk,
    options: HttpOptions,
    halt: threading.Event,
    noted: Identity | None = None,
) -> Iterator[SourceSpec]:
    """Yield what `wanted` names at the engine's API `url`; see `lease.leased`."""
    with leased(url, wanted, options, halt, noted=noted) as lease:
        yield spec_of(lease)


def spec_of(lease: Lease) -> SourceSpec:
    """Return what a transfer needs to know of a lease."""
    return SourceSpec(
        open=lambda halt: source.open_source(lease, halt),
        as_is=lease.raw,
        update=lease.image.delta,
        base=lease.image.base or None,
    )


def named(
    place: str, options: HttpOptions, halt: threading.Event
) -> AbstractContextManager[SourceSpec]:
    """Prepare a disk named by a person; see the module."""
    address, _, snapshot = place.strip().removeprefix(_SCHEME).partition("#")
    api, _, disk = address.rpartition("/disks/")
    if not api or not disk or "/" in disk:
        raise errors.InvalidRequest(
            "a disk of oVirt is written imageio+https://ENGINE/ovirt-engine/api/disks/ID, with "
            "#SNAPSHOT for one of its snapshots"
        )
    wanted = WantedDisk(urllib.parse.unquote(disk), urllib.parse.unquote(snapshot))
    return prepare(api, wanted, options, halt)
