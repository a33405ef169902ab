"""
An NBD server as a user names it: `nbd+unix:///EXPORT?socket=PATH`, as other tools spell it too.

The export is taken as the raw disk that it is, without a look at what it holds. Raises
InvalidRequest.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdi.images import errors
from cdi.images.sources.nbd.source import NbdSource, Settings, dial_unix
from cdi.images.sources.spec import SourceSpec


@contextmanager
def prepare(url: str, stall: float) -> Iterator[SourceSpec]:
    """Yield the export; `stall` in seconds."""
    path, export = parse_url(url)
    settings = Settings(export=export, stall=stall)
    yield SourceSpec(
        open=lambda halt: NbdSource(lambda: dial_unix(path), url, settings, cancel=halt),
        as_is=True,
    )


def parse_url(url: str) -> tuple[Path, str]:
    """Return socket and name of the export."""
    parts = urllib.parse.urlsplit(url)
    sockets = urllib.parse.parse_qs(parts.query).get("socket", [])
    if parts.netloc or len(sockets) != 1:
        raise errors.InvalidRequest(
            "an NBD server is named by its socket: nbd+unix:///EXPORT?socket=PATH"
        )
    return Path(sockets[0]), urllib.parse.unquote(parts.path.removeprefix("/"))
