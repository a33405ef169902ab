"""
From what a user names to the source that reads it.
"""

from __future__ import annotations

import threading
import urllib.parse
from pathlib import Path

from cdi.images import errors
from cdi.images.sources.file import FileSource
from cdi.images.sources.http import HttpSource
from cdi.images.sources.options import HttpOptions
from cdi.images.sources.source import Source
from cdi.images.sources.stream import StreamSource

KNOWN = "http://, https://, file://, paths of this machine and - for standard input"


def open_source(
    place: str, options: HttpOptions | None = None, cancel: threading.Event | None = None
) -> Source:
    """Open a URL, a path or `-`. Raises InvalidRequest for what cannot be one, SourceError."""
    if place == "-":
        return StreamSource(0, "standard input", cancel or threading.Event())
    scheme, separator, _ = place.partition("://")
    if not separator:
        return _open_path(place)
    match scheme.strip().lower():
        case "http" | "https":
            return HttpSource(place, options, cancel=cancel)
        case "file":
            return _open_path(_path_in(place))
    # The rest of the URL is not repeated: it may hold a password.
    raise errors.InvalidRequest(f"sources of scheme {scheme!r} are not known; known are {KNOWN}")


def _open_path(path: str) -> FileSource:
    if not path:
        raise errors.InvalidRequest(f"no source is named; known are {KNOWN}")
    return FileSource(Path(path))


def _path_in(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise errors.InvalidRequest("a file:// URL names this machine only: file:///path")
    return urllib.parse.unquote(parts.path)
