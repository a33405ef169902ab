"""
What every source promises.

A source is one object of bytes: a file behind a URL, a blob, a layer. Where `ranged` holds, any
part of it can be read, from several threads at once; otherwise it can only be read forward, by
one reader. Retries, back-off and reconnecting at the right byte are the source's own business:
an error that leaves it is final for this run. Offsets and sizes are in bytes of the object as
the source stores it, before any decompression.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cdi.images import errors
from cdi.images.layout import Extent


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one version of an object from another.

    `location` names the object without credentials (secret query parameters are hashed), so it
    may be stored and logged. Empty strings and None mean that the source does not say. Two
    equal identities with an empty `version` still may be different objects.
    """

    location: str
    length: int | None = None
    version: str = ""  # a strong ETag, a digest, or a date with the length


class Source(Protocol):
    """One object to read. Use as a context manager; `open` happens in the constructor."""

    @property
    def identity(self) -> Identity: ...

    @property
    def size(self) -> int | None:
        """Length in bytes, or None where the source does not say."""

    @property
    def ranged(self) -> bool:
        """Whether any range can be read, at any time and in parallel. Implies a known size."""

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order, in pieces of at most PIECE bytes.

        `end` None means to the end of the object. A source that is not ranged takes start 0
        and end None only, and only once. Raises SourceError; TruncatedSource where fewer bytes
        than promised came. May be called by several threads at once if `ranged`.
        """

    def close(self) -> None:
        """Let go of connections; a stream under way may fail after this."""


@runtime_checkable
class Mapped(Source, Protocol):
    """A ranged source that is a raw disk and knows which parts of it matter.

    Where a whole disk is wanted, what no extent names is zero. Where an existing disk is brought
    up to date (`TransferRequest.update`), what no extent names stays as it is, and zero extents are
    made zero.
    """

    def extents(self) -> Iterator[Extent]:
        """Yield the parts in order, none overlapping. Lazy; raises SourceError."""


@runtime_checkable
class PrefersLargeRequests(Source, Protocol):
    """A ranged source to which each request costs as much as many bytes."""

    @property
    def preferred_request(self) -> int:
        """Bytes that one request should bring, where that many are wanted. It may grow."""


@runtime_checkable
class Streamable(Source, Protocol):
    """A ranged source that can be had in one stream as well, where its ranges fail."""

    doubtful: bool  # whether a range was not answered as it should be, the last time it was not

    def in_one_stream(self, cancel: threading.Event) -> Source:
        """Open it once more, without ranges; waits end with `cancel`. Raises SourceError."""


@runtime_checkable
class Once(Source, Protocol):
    """A source that can be read once: whoever opens it again gets what is left of it."""

    once: bool


@runtime_checkable
class Continued(Source, Protocol):
    """A source without ranges whose stream can begin at any offset, once: its sender is told."""

    @property
    def begin(self) -> int | None:
        """The offset at which the stream that was asked for begins."""


@runtime_checkable
class Unpacked(Source, Protocol):
    """A stream that is the content itself, whatever it looks like: nothing is decompressed."""

    unpacked: bool


# Large enough that a system call and a thread switch per piece do not show,
# small enough that two dozen pieces in flight fit the memory budget.
PIECE = 1 << 20


def read(source: Source, offset: int, length: int) -> bytes:
    """Return exactly the bytes [offset, offset + length) of a ranged source."""
    return b"".join(source.stream(offset, offset + length))


def checked_range(shown: str, size: int, start: int, end: int | None) -> tuple[int, int]:
    """Return [start, end) of an object of `size` bytes. Raises TruncatedSource beyond its end."""
    end = size if end is None else end
    if not 0 <= start <= end <= size:
        raise no_such_range(shown, size, start, end)
    return start, end


def no_such_range(shown: str, size: int, start: int, end: int) -> Exception:
    """The error for a range that is not within an object of `size` bytes."""
    if start < 0 or end < start:
        return ValueError(f"no such range: {start} to {end}")
    return errors.TruncatedSource(
        f"{shown} has {size} bytes and ends before byte {end}; the file may be incomplete"
    )
