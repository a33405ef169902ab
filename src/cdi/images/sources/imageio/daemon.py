"""
What the imageio daemon serves under the URL of a transfer, beside the bytes.

Here: its abilities, its list of extents, and a sign of life. Elsewhere: the bytes (`source`).
URLs are secrets; whatever is shown of them is hashed. Raises SourceError.
"""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from cdi.images import errors
from cdi.images.http import client, connection, failures, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.layout import Extent

log = logging.getLogger(__name__)

_MAX_OPTIONS: Final = 64 << 10
# About 250,000 extents. A disk in more pieces than that is read whole.
_MAX_EXTENTS: Final = 16 << 20
_MAX_READERS: Final = 64
_LARGEST: Final = 1 << 50  # bytes of a disk; keeps sums far from the limits of what stores them
# Of daemons that do not tell: those before 2.0 have problems with several.
_READERS_UNTOLD: Final = 1


class _Options(msgspec.Struct):
    features: tuple[str, ...] = ()
    max_readers: int = _READERS_UNTOLD


class _Part(msgspec.Struct):
    start: int
    length: int
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a daemon can do for one ticket."""

    extents: bool = False
    readers: int = _READERS_UNTOLD


class Extents:
    """Which parts of a disk are zero. Kept as numbers: eight bytes and a flag an extent."""

    def __init__(self, parts: Iterable[tuple[int, bool]]) -> None:
        """Take (length, zero) of parts that follow each other."""
        self._ends = array("Q")
        self._zero = bytearray()
        self.size = 0
        for length, zero in parts:
            self.size += length
            if self._zero and self._zero[-1] == zero:
                self._ends[-1] = self.size
            elif length:
                self._ends.append(self.size)
                self._zero.append(zero)

    def __iter__(self) -> Iterator[Extent]:
        start = 0
        for end, zero in zip(self._ends, self._zero, strict=True):
            yield Extent(start, end, zero=bool(zero))
            start = end


class Daemon:
    """Questions to daemons; any thread may ask. Use as a context manager."""

    def __init__(self, options: HttpOptions, cancel: threading.Event) -> None:
        """`options` as for the bytes: without credentials, the path being a secret."""
        nobody = urls.Url("https", "imageio.invalid", 443, "/")  # credentials of none
        watch = connection.Watch(cancel, options.stall, time.monotonic)
        self._client = client.Client(nobody, options, watch)

    def abilities(self, url: str) -> Abilities:
        """Ask what can be done; a daemon that does not know the question can do little."""
        place = _place(url)
        with self._client.call(urls.Route(place), _JSON, method="OPTIONS") as answer:
            if answer.status in {404, 405, 501}:
                return Abilities()
            _insist_on(place, answer, 200, 204)
            body = _limited(answer, _MAX_OPTIONS)
        try:
            said = msgspec.json.decode(body or b"{}", type=_Options)
        except (msgspec.DecodeError, RecursionError):
            log.warning("The imageio daemon's abilities make no sense and are not used")
            return Abilities()
        readers = max(1, min(said.max_readers, _MAX_READERS))
        return Abilities("extents" in said.features, readers)

    def extents(self, url: str) -> Extents | None:
        """Return which parts matter; None where the daemon does not tell after all."""
        place = _place(url, "/extents")
        with self._client.call(urls.Route(place), _JSON) as answer:
            if answer.status in {404, 405, 501}:
                return None
            _insist_on(place, answer, 200)
            body = _limited(answer, _MAX_EXTENTS)
        if body is None:
            log.warning("The disk has too many extents to list, it is read whole")
            return None
        return parse_extents(body)

    def touch(self, url: str) -> None:
        """Read a sector, so that the ticket does not count as idle."""
        place = _place(url)
        sector = (("Range", "bytes=0-511"),)
        with self._client.call(urls.Route(place), sector) as answer:
            _insist_on(place, answer, 200, 206)
            answer.read(512)

    def close(self) -> None:
        self._client.close()


def parse_extents(body: bytes) -> Extents:
    """Read a list of extents. They have to follow each other: a gap would be a hole in the disk."""
    try:
        parts = msgspec.json.decode(body, type=list[_Part])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _senseless(f"cannot be read ({error})") from None
    at = 0
    for part in parts:
        if part.start != at or part.length < 0 or at + part.length > _LARGEST:
            raise _senseless(f"has a part of {part.length} bytes at {part.start} after byte {at}")
        at += part.length
    return Extents((part.length, part.zero) for part in parts)


_JSON: Final = (("Accept", "application/json"),)


def _place(url: str, more: str = "") -> urls.Url:
    place = urls.parse_url(url, secret_path=True)
    path, question, query = place.target.partition("?")
    return replace(place, target=f"{path.rstrip('/') if more else path}{more}{question}{query}")


def _insist_on(place: urls.Url, answer: Response, *good: int) -> None:
    if answer.status not in good:
        wish = failures.retry_after(answer.headers)
        raise failures.refusal_of(place.printable, answer.status, answer.phrase, wish)


def _limited(answer: Response, limit: int) -> bytes | None:
    """Return a body, None if it is longer than `limit`."""
    body = bytearray()
    while piece := answer.read(256 << 10):
        body += piece
        if len(body) > limit:
            return None
    return bytes(body)


def _senseless(what: str) -> errors.SourceRefused:
    return errors.SourceRefused(
        f"the imageio daemon's list of extents {what}; check the daemon's version and log"
    )
