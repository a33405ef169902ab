"""
Formats that are decoded in file order: one table, by name.

What is not in the table goes through `qemu.convert`, or, where the disk lies in the file as it is
(a fixed VHD), is read like a raw disk. Elsewhere: how an image is read at random (`image.Image`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdi.images.layout import ForwardDecoder


@dataclass(frozen=True, slots=True)
class Native:
    """How one format is read in file order."""

    # `state` is an earlier decoder's snapshot, None to begin.
    decoder: Callable[[bytes | None], ForwardDecoder]
    # One pass is as good where all of the file is wanted in order anyway, to be hashed: at
    # random its blocks may turn out to be in another order than its tables are read.
    streams_well: bool = False


def decoder_of(name: str, state: bytes | None = None) -> ForwardDecoder:
    """Return what decodes a format in file order."""
    return NATIVE.get(name, NATIVE["raw"]).decoder(state)


def streams_well(name: str) -> bool:
    """Whether a format is rather read in one pass where the file is hashed."""
    return name in NATIVE and NATIVE[name].streams_well


def _raw(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import raw

    return raw.ForwardRaw(state=state)


def _qcow2(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import qcow2

    return qcow2.ForwardQcow2(state=state)


def _vmdk(state: bytes | None) -> ForwardDecoder:
    from cdi.images.formats import vmdk

    return vmdk.ForwardVmdk(state=state)


NATIVE: dict[str, Native] = {
    "raw": Native(_raw),
    "qcow2": Native(_qcow2),
    "vmdk": Native(_vmdk, streams_well=True),
}
