"""
From what a user names to the source that reads it.

Here: which scheme is whose. Elsewhere: the kinds of sources, one module or package each, loaded
when they are needed. A new kind adds a line to `_SUPPLIERS`.
"""

from __future__ import annotations

import importlib
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources.file import FileSource
from cdi.images.sources.http import HttpSource
from cdi.images.sources.source import Source
from cdi.images.sources.stream import StreamSource
from cdi.images.sources.supply import Supply

ARCHIVE: Final = "oci-archive"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user says of a source beyond its place."""

    options: HttpOptions = field(default_factory=HttpOptions)
    # Read for the variables that tools of a kind of source usually heed; never logged.
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    platform: str = ""  # of a container image, like arm64; empty for this machine's


Supplier = Callable[[str, Wish, threading.Event], AbstractContextManager[Supply]]


@contextmanager
def _plain(place: str, wish: Wish, _halt: threading.Event) -> Iterator[Supply]:
    yield Supply(open=lambda halt: open_source(place, wish.options, halt))


def _object(place: str, wish: Wish, _halt: threading.Event) -> AbstractContextManager[Supply]:
    named = importlib.import_module("cdi.images.sources.objects.named")
    supplied = named.supply(place, wish.options, wish.environment)
    return cast(AbstractContextManager[Supply], supplied)


def _imageio(place: str, wish: Wish, halt: threading.Event) -> AbstractContextManager[Supply]:
    supplied = importlib.import_module("cdi.images.sources.imageio.supplied")
    return cast(AbstractContextManager[Supply], supplied.named(place, wish.options, halt))


def _nbd(place: str, wish: Wish, _halt: threading.Event) -> AbstractContextManager[Supply]:
    named = importlib.import_module("cdi.images.sources.nbd.named")
    return cast(AbstractContextManager[Supply], named.supply(place, wish.options.stall))


def _image(place: str, wish: Wish, halt: threading.Event) -> AbstractContextManager[Supply]:
    named = importlib.import_module("cdi.images.sources.registry.named")
    supplied = named.supply(place, wish.options, wish.environment, wish.platform, halt)
    return cast(AbstractContextManager[Supply], supplied)


# By scheme. Each takes the whole place; what it needs beyond this module it loads itself.
_SUPPLIERS: Final[Mapping[str, Supplier]] = {
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


def supply(place: str, wish: Wish, halt: threading.Event) -> AbstractContextManager[Supply]:
    """Return what supplies the bytes at a URL, a path or `-`. Raises InvalidRequest, SourceError.

    Waits end when `halt` is set.
    """
    scheme = scheme_of(place)
    found = _SUPPLIERS.get(scheme)
    if found is None:
        raise _unknown(scheme)
    return found(place, wish, halt)


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


def open_nothing(_halt: threading.Event) -> Source:
    """Stand in for a source in an order that a supply completes later."""
    raise errors.InvalidRequest("the order has no source")


def _unknown(scheme: str) -> errors.InvalidRequest:
    # The rest of the URL is not repeated: it may hold a password.
    known = ", ".join(_written(each) for each in _SUPPLIERS if each)
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
