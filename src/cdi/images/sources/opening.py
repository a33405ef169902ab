"""
From what a user names to the source that reads it.

Here: an object behind an HTTP URL. Elsewhere: everything else that has a name (`kinds`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.images import errors
from cdi.images.sources.http import HttpSource
from cdi.images.sources.source import Source
from cdi.images.sources.spec import SourceOptions, SourceSpec

_HTTP = ("http://", "https://")


@contextmanager
def prepare(place: str, wanted: SourceOptions, halt: threading.Event) -> Iterator[SourceSpec]:
    """Yield how the bytes at a URL, a path or `-` are read, as long as the block lasts.

    Waits end when `halt` is set. Raises InvalidRequest, SourceError.
    """
    if place.lower().startswith(_HTTP):
        yield SourceSpec(open=lambda cancel: HttpSource(place, wanted.http, cancel=cancel))
        return
    from cdi.images.sources import kinds

    with kinds.prepare(place, wanted, halt) as spec:
        yield spec


def open_nothing(_halt: threading.Event) -> Source:
    """Stand in for a source in an order that a prepare completes later."""
    raise errors.InvalidRequest("the request has no source")
