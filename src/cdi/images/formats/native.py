"""
Formats that are decoded here: one table, by name, of how each is read.

What is not in the table goes through `qemu.convert`, or, where the disk lies in the file as it is
(a fixed VHD), is read like a raw disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from cdi.images.formats.image import Image
from cdi.images.layout import ForwardDecoder, RandomLayout, Reader


@dataclass(frozen=True, slots=True)
class Ranged:
    """A source that can be read at any offset, and how: sizes in bytes, tables read at a time."""

    reader: Reader
    size: int
    unit_bytes: int
    table_readers: int


@dataclass(frozen=True, slots=True)
class Native:
    """How one format is read: at random, after inspection, and in file order."""

    layout: Callable[[Image, Ranged], RandomLayout]
    # `state` is an earlier decoder's snapshot, None to begin.
    decoder: Callable[[bytes | None], ForwardDecoder]
    # One pass is as good where all of the file is wanted in order anyway, to be hashed: at
    # random its blocks may turn out to be in another order than its tables are read.
    streams_well: bool = False


def layout_of(image: Image, source: Ranged) -> RandomLayout:
    """Return the layout of an image that `inspect` has passed. Reads its first tables."""
    return NATIVE.get(image.format, NATIVE["raw"]).layout(image, source)


def decoder_of(name: str, state: bytes | None = None) -> ForwardDecoder:
    """Return what decodes a format in file order."""
    return NATIVE.get(name, NATIVE["raw"]).decoder(state)


def streams_well(name: str) -> bool:
    """Whether a format is rather read in one pass where the file is hashed."""
    return name in NATIVE and NATIVE[name].streams_well


def _raw(image: Image, source: Ranged) -> RandomLayout:
    from cdi.images.formats import raw

    size = source.size if image.native else image.virtual_size or source.size
    return raw.RandomRaw(size, unit_bytes=source.unit_bytes)


def _qcow2(image: Image, source: Ranged) -> RandomLayout:
    from cdi.images.formats import qcow2

    return qcow2.RandomQcow2(
        source.reader,
        source.size,
        cast(qcow2.Header, image.detail),
        unit_bytes=source.unit_bytes,
        table_readers=source.table_readers,
    )


def _vmdk(image: Image, source: Ranged) -> RandomLayout:
    from cdi.images.formats import vmdk

    return vmdk.RandomVmdk(
        source.reader,
        source.size,
        cast(vmdk.Header, image.detail),
        unit_bytes=source.unit_bytes,
        table_readers=source.table_readers,
    )


def _forward_raw(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import raw

    return raw.ForwardRaw(state=state)


def _forward_qcow2(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import qcow2

    return qcow2.ForwardQcow2(state=state)


def _forward_vmdk(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import vmdk

    return vmdk.ForwardVmdk(state=state)


NATIVE: dict[str, Native] = {
    "raw": Native(_raw, _forward_raw),
    "qcow2": Native(_qcow2, _forward_qcow2),
    "vmdk": Native(_vmdk, _forward_vmdk, streams_well=True),
}
