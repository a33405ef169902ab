"""
A leased image as a supply, for whoever runs the transfer.

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
from cdi.images.sources.imageio.catalog import Wish
from cdi.images.sources.imageio.lease import Lease, leased
from cdi.images.sources.source import Identity
from cdi.images.sources.supply import Supply

_SCHEME = "imageio+"


@contextmanager
def supplied(
    url: str,
    wish: Wish,
    options: HttpOptions,
    halt: threading.Event,
    noted: Identity | None = None,
) -> Iterator[Supply]:
    """Yield what `wish` names at the engine's API `url`; see `lease.leased`."""
    with leased(url, wish, options, halt, noted=noted) as lease:
        yield supply_of(lease)


def supply_of(lease: Lease) -> Supply:
    """Return what a transfer needs to know of a lease."""
    return Supply(
        open=lambda halt: source.open_source(lease, halt),
        as_is=lease.raw,
        update=lease.image.delta,
        base=lease.image.base or None,
    )


def named(
    place: str, options: HttpOptions, halt: threading.Event
) -> AbstractContextManager[Supply]:
    """Return the supply of a disk named by a person; see the module."""
    address, _, snapshot = place.strip().removeprefix(_SCHEME).partition("#")
    api, _, disk = address.rpartition("/disks/")
    if not api or not disk or "/" in disk:
        raise errors.InvalidRequest(
            "a disk of oVirt is written imageio+https://ENGINE/ovirt-engine/api/disks/ID, with "
            "#SNAPSHOT for one of its snapshots"
        )
    wish = Wish(urllib.parse.unquote(disk), urllib.parse.unquote(snapshot))
    return supplied(api, wish, options, halt)
