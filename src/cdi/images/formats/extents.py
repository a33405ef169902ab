"""
A raw disk whose source says which parts of it matter: only those are fetched.

A whole disk leaves out what is zero. A disk that is brought up to date names its zeros too, since
the target may hold something else there. Offsets and sizes are in bytes of the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cdi.images import errors
from cdi.images.formats import raw
from cdi.images.layout import Extent, Ranges, Unit, clearing


class RandomExtents:
    """The layout of a raw disk of `size` bytes that is made of `extents`.

    `update` says that the zero extents are written. Raises CorruptImage while it yields units if
    the extents are not in order, or lie outside of the disk.
    """

    def __init__(
        self,
        size: int,
        extents: Callable[[], Iterable[Extent]],
        *,
        unit_bytes: int = raw.UNIT_BYTES,
        update: bool = False,
    ) -> None:
        self.virtual_size = size
        self._extents, self._unit, self._update = extents, unit_bytes, update

    def units(self, done: Ranges) -> Iterator[Unit]:
        """Yield what is left to fetch or to clear; see `layout.RandomLayout`."""
        at = 0
        for extent in self._extents():
            start, end = extent.start, extent.end
            if not at <= start <= end <= self.virtual_size:
                raise errors.CorruptImage(
                    f"the source names bytes {start} to {end} of a disk of {self.virtual_size} "
                    f"bytes after it came to {at}; its list of extents makes no sense"
                )
            at = end
            if not extent.zero:
                yield from raw.units_between(start, end, self._unit, done)
            elif self._update and start < end and not done.covers(start, end):
                yield clearing(start, end)
