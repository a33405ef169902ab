"""What inspectors say about an image, and how it can be read. Values, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cdi.images import errors
from cdi.images.layout import RandomLayout, Reader

UNIT_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Ranged:
    """A source that can be read at any offset, and how.

    A unit has about `unit_bytes`. With `table_readers` above 1, that many threads call the reader
    at a time: each table that lies by itself costs a round trip.
    """

    reader: Reader
    size: int
    unit_bytes: int = UNIT_BYTES
    table_readers: int = 1


Layout: TypeAlias = Callable[[Ranged], RandomLayout]


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose header was found harmless.

    `format` is qemu's name for it. `virtual_size` is None as long as it cannot be known from the
    bytes at hand: a raw stream of unknown length, or a header that comes later than the head.
    `native` images are decoded by this package; the others go through `qemu.convert`, and only
    after a deep inspection has passed the complete file. `checks_left` names the checks that
    needed bytes out of reach. `flat` says that the first `virtual_size` bytes of the file are
    the disk itself, whatever follows them (a fixed VHD): they may be copied like a raw disk.
    `tables_late`: what says where the data belongs comes so late in the file that whoever reads it
    forward cannot keep what comes before.
    """

    format: str
    virtual_size: int | None
    native: bool = False
    flat: bool = False
    tables_late: bool = False
    layout: Layout | None = field(default=None, compare=False)  # None: it lies there as it is
    checks_left: tuple[str, ...] = ()


def needs_copy(image: Image) -> errors.NeedsScratch:
    """Return why an image is not made into a disk while it is fetched."""
    why = " whose tables lie behind its data" if image.tables_late else ""
    return errors.NeedsScratch(f"a {image.format} image{why} is converted from a copy")
