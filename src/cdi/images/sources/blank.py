"""A disk of zeros as a source: nothing to fetch, and everything that a transfer does besides."""

from __future__ import annotations

from collections.abc import Iterator

from cdi.images.layout import Extent
from cdi.images.sources.source import Identity


class BlankSource:
    """A disk of `size` bytes without any extent; see `source.Mapped`."""

    ranged = True

    def __init__(self, size: int) -> None:
        self.size = size
        self.identity = Identity("a blank disk", size, "1")

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield zeros; see `source.Source`."""
        yield bytes((self.size if end is None else end) - start)

    def extents(self) -> Iterator[Extent]:
        """Yield none: what no extent names is zero."""
        return iter(())

    def close(self) -> None:
        """Nothing to let go of."""
