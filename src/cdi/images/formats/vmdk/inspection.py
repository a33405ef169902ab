"""
Whether a sparse VMDK is a whole, harmless disk: header, footer and embedded descriptor.

Here: what is looked at before anything is written. Everything whose data is elsewhere is
refused: flat, VMFS and raw-device extents, parents, split disks. Elsewhere: the tables, which
the readers check as they read them (`ranged`, `forward`).
"""

from __future__ import annotations

from functools import partial

from cdi.images import errors
from cdi.images.formats import image, window
from cdi.images.formats.vmdk import descriptor
from cdi.images.formats.vmdk.header import (
    AT_END,
    COWD_MAGIC,
    ENTRY,
    SECTOR,
    Header,
    check_footer,
    parse_header,
)
from cdi.images.formats.vmdk.markers import END, FOOTER, marker_of
from cdi.images.formats.vmdk.ranged import RandomVmdk

# Where a well-known reader looks for a parent, whatever the header says about the descriptor.
_ASSUMED_DESCRIPTOR = (1, 20)


def inspect(view: window.Window, _deep: bool) -> image.Image:
    """Check a sparse VMDK, but for its tables."""
    if view.head.startswith(COWD_MAGIC):
        raise errors.UnsupportedFormat(
            "the VMDK is a COWD extent of an ESXi snapshot, not a whole disk; "
            "consolidate the snapshot and export the disk"
        )
    header = parse_header(view.read(0, SECTOR, "VMDK header"))
    _check_descriptor(view, header)
    left: tuple[str, ...] = ()
    if header.directory == AT_END:
        try:
            header = _header_from_footer(view, header)
        except window.OutOfReachError:
            left = ("VMDK footer",)
    if header.directory != AT_END:
        view.insist_on(SECTOR * header.directory + ENTRY * header.tables, "VMDK grain directory")
        view.insist_on(SECTOR * header.metadata, "VMDK metadata")
    found = partial(RandomVmdk, header=header)
    return image.Image("vmdk", header.virtual_size, native=True, layout=found, checks_left=left)


def _check_descriptor(view: window.Window, header: Header) -> None:
    start, length = _ASSUMED_DESCRIPTOR
    if view.size is None or view.size > SECTOR * (start + length):
        descriptor.refuse_parents(view.read(start * SECTOR, length * SECTOR, "VMDK descriptor"))
    text = view.read(
        header.descriptor * SECTOR, header.descriptor_length * SECTOR, "VMDK descriptor"
    )
    descriptor.refuse_parents(text)
    descriptor.check_embedded(text.partition(b"\0")[0], header.capacity, header.grain)


def _header_from_footer(view: window.Window, first: Header) -> Header:
    """Return the header that ends a stream-optimised disk; it must repeat the first one."""
    start = view.length - 3 * SECTOR
    if start < SECTOR:
        raise errors.TruncatedSource("the VMDK ends before its footer; fetch it again")
    raw = view.read(start, 3 * SECTOR, "VMDK footer")
    marker, end = marker_of(raw), marker_of(raw[2 * SECTOR :])
    if (marker.length, marker.kind) != (0, FOOTER) or end != (0, 0, END):
        raise errors.TruncatedSource("the VMDK does not end with its footer; fetch it again")
    header = parse_header(raw[SECTOR : 2 * SECTOR])
    check_footer(first, header)
    return header
