"""
Every kind of source that a user can name: which scheme is whose.

Each kind is a module or a package, loaded when it is needed. A new one adds a line to `_PREPARERS`.
"""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.file import FileSource
from cdi.images.sources.http import HttpSource
from cdi.images.sources.source import Source
from cdi.images.sources.spec import SourceOptions, SourceSpec
from cdi.images.sources.stream import StreamSource

ARCHIVE: Final = "oci-archive"

Prepared = AbstractContextManager[SourceSpec]
Preparer = Callable[[str, SourceOptions, threading.Event], Prepared]


@contextmanager
def _plain(place: str, wanted: SourceOptions, _halt: threading.Event) -> Iterator[SourceSpec]:
    yield SourceSpec(open=lambda halt: open_source(place, wanted.http, halt))


def _object(place: str, wanted: SourceOptions, _halt: threading.Event) -> Prepared:
    from cdi.images.sources.objects.prepare import prepare

    return prepare(place, wanted.http, wanted.environment)


def _imageio(place: str, wanted: SourceOptions, halt: threading.Event) -> Prepared:
    from cdi.images.sources.imageio.prepare import named

    return named(place, wanted.http, halt)


def _nbd(place: str, wanted: SourceOptions, _halt: threading.Event) -> Prepared:
    from cdi.images.sources.nbd.prepare import prepare

    return prepare(place, wanted.http.stall)


def _image(place: str, wanted: SourceOptions, halt: threading.Event) -> Prepared:
    from cdi.images.sources.registry.prepare import prepare

    return prepare(place, wanted.http, wanted.environment, wanted.platform, halt)


# By scheme. Each takes the whole place; what it needs beyond this module it loads itself.
_PREPARERS: Final[Mapping[str, Preparer]] = {
    "": _plain,
    "az": _object,
    "docker": _image,
    "file": _plain,
    "gs": _object,
    "http": _plain,
    "https": _plain,
    "imageio+http": _imageio,
    "imageio+https": _imageio,
    "nbd+unix": _nbd,
    ARCHIVE: _image,
    "s3": _object,
}


def prepare(place: str, wanted: SourceOptions, halt: threading.Event) -> Prepared:
    """Yield how the bytes at a URL, a path or `-` are read, as long as the block lasts.

    Waits end when `halt` is set. Raises InvalidRequest, SourceError.
    """
    scheme = scheme_of(place)
    found = _PREPARERS.get(scheme)
    if found is None:
        raise _unknown(scheme)
    return found(place, wanted, halt)


def scheme_of(place: str) -> str:
    """Return the scheme of a URL in lower case; empty for a path or `-`."""
    if place.startswith(f"{ARCHIVE}:"):
        return ARCHIVE  # as container tools write it, without slashes
    scheme, separator, _ = place.partition("://")
    return scheme.strip().lower() if separator else ""


def open_source(
    place: str, options: HttpOptions | None = None, cancel: threading.Event | None = None
) -> Source:
    """Open an http(s) or file URL, a path or `-`. Raises InvalidRequest, SourceError."""
    if place == "-":
        return StreamSource(0, "standard input", cancel or threading.Event())
    match scheme := scheme_of(place):
        case "":
            return _open_path(place)
        case "http" | "https":
            return HttpSource(place, options, cancel=cancel)
        case "file":
            return _open_path(_path_in(place))
    raise _unknown(scheme)


def _unknown(scheme: str) -> errors.InvalidRequest:
    # The rest of the URL is not repeated: it may hold a password.
    known = ", ".join(_written(each) for each in _PREPARERS if each)
    return errors.InvalidRequest(
        f"sources of scheme {scheme!r} are not known; known are {known}, "
        "paths of this machine and - for standard input"
    )


def _written(scheme: str) -> str:
    return f"{scheme}:" if scheme == ARCHIVE else f"{scheme}://"


def _open_path(path: str) -> FileSource:
    if not path:
        raise errors.InvalidRequest(
            "no source is named: give a URL, a path or - for standard input"
        )
    return FileSource(Path(path))


def _path_in(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise errors.InvalidRequest("a file:// URL names this machine only: file:///path")
    return urllib.parse.unquote(parts.path)
