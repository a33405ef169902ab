"""
VMware sparse disks in a single file (VMDK): monolithicSparse and streamOptimized.

A header, an embedded descriptor (`vmdk_descriptor`), a grain directory, grain tables, grains.
A stream-optimised disk may keep header and directory at its end, in a footer, and puts a marker
with its disk address in front of each compressed grain. Everything whose data is elsewhere is
refused: flat, VMFS and raw-device extents, parents, split disks. All numbers are little-endian,
places are in sectors of 512 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import image, vmdk_descriptor, window

MAGIC = b"KDMV"
COWD_MAGIC = b"COWD"

_SECTOR = 512
_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_NEWLINES = b"\n \r\n"  # in the header, so that a transfer in text mode is noticed
_AT_END = 0xFFFF_FFFF_FFFF_FFFF  # the grain directory is found through the footer
_FOOTER = struct.Struct("<QII")  # a marker: sectors, size, type
_FOOTER_MARKER, _END_MARKER = 3, 0
_GRAIN_MARKER = struct.Struct("<QI")
_COMPRESSED, _MARKERS = 1 << 16, 1 << 17
_TELLS_NEWLINES = 1
_KNOWN_FLAGS = 0x7 | _COMPRESSED | _MARKERS
_GRAINS = frozenset(1 << bit for bit in range(3, 15))  # 4 KiB to 8 MiB
_TABLE_ENTRIES = 512
_MAX_DESCRIPTOR = 2048  # sectors
# Where a well-known reader looks for a parent, whatever the header says about the descriptor.
_ASSUMED_DESCRIPTOR = (1, 20)
_ZERO_GRAIN = 1  # a table entry that says: zeros, no data


@dataclass(frozen=True, slots=True)
class Header:
    """The fields that decide where grains are, in sectors."""

    capacity: int
    grain: int
    descriptor: int
    descriptor_length: int
    entries: int  # of each grain table
    directory: int
    metadata: int  # sectors before the first grain
    compressed: bool

    @property
    def tables(self) -> int:
        """Entries of the grain directory."""
        return -(-self.capacity // (self.grain * self.entries))


def matches(head: bytes) -> bool:
    return head.startswith((MAGIC, COWD_MAGIC))


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check a sparse VMDK; with `deep` also every grain table and grain marker."""
    if view.head.startswith(COWD_MAGIC):
        raise errors.UnsupportedFormat(
            "the VMDK is a COWD extent of an ESXi snapshot, not a whole disk; "
            "consolidate the snapshot and export the disk"
        )
    header = parse_header(view.read(0, _SECTOR, "VMDK header"))
    left = window.left_over("VMDK descriptor", lambda: _check_descriptor(view, header))
    if header.directory == _AT_END:
        try:
            header = _header_from_footer(view, header)
        except window.OutOfReachError:
            left += ("VMDK footer",)
    if header.directory != _AT_END:
        view.insist_on(_SECTOR * header.directory + 4 * header.tables, "VMDK grain directory")
        view.insist_on(_SECTOR * header.metadata, "VMDK metadata")
    if deep:
        _check_tables(view, header)
    else:
        left += ("VMDK grain tables",)
    return image.Image("vmdk", header.capacity * _SECTOR, detail=header, checks_left=left)


def parse_header(raw: bytes) -> Header:
    """Return the header. Raises UnsafeImage, UnsupportedFormat, CorruptImage."""
    (magic, version, flags, capacity, grain, descriptor, descriptor_length, entries, _,
     directory, metadata, _, newlines, compression) = _HEADER.unpack_from(raw)  # fmt: skip
    if magic != MAGIC:
        raise errors.CorruptImage("the VMDK's footer holds no header")
    _check_features(version, flags, newlines, compression)
    if capacity == 0 or descriptor == 0:
        raise errors.UnsafeImage(
            "the VMDK is a part of a disk whose description is in another file; "
            "make one file of all parts first, for example with `qemu-img convert -O qcow2`"
        )
    if grain not in _GRAINS or entries != _TABLE_ENTRIES or descriptor_length > _MAX_DESCRIPTOR:
        raise errors.UnsafeImage(
            f"the VMDK has grains of {grain} sectors, tables of {entries} entries and a "
            f"descriptor of {descriptor_length} sectors; no product writes that"
        )
    image.check_virtual_size("VMDK", capacity * _SECTOR)
    header = Header(capacity, grain, descriptor, descriptor_length, entries, directory, metadata,
                    compression == 1)  # fmt: skip
    image.check_table_size("VMDK", "grain directory", 4 * header.tables)
    return header


def _check_features(version: int, flags: int, newlines: bytes, compression: int) -> None:
    if version not in {1, 2, 3}:
        raise errors.UnsupportedFormat(f"VMDK version {version} is not read here")
    if unknown := flags & ~_KNOWN_FLAGS:
        raise errors.UnsafeImage(f"the VMDK uses unknown features (flags {unknown:#x})")
    if flags & _TELLS_NEWLINES and newlines != _NEWLINES:
        raise errors.CorruptImage("the VMDK was damaged by a transfer in text mode; copy it again")
    if compression > 1 or (compression == 1) != bool(flags & _COMPRESSED):
        raise errors.UnsupportedFormat(f"VMDK compression {compression} is not read here")
    if compression and not flags & _MARKERS:
        raise errors.UnsupportedFormat("a compressed VMDK without grain markers is not read here")


def _check_descriptor(view: window.Window, header: Header) -> None:
    start, length = _ASSUMED_DESCRIPTOR
    if view.size is None or view.size > _SECTOR * (start + length):
        vmdk_descriptor.refuse_parents(
            view.read(start * _SECTOR, length * _SECTOR, "VMDK descriptor")
        )
    text = view.read(
        header.descriptor * _SECTOR, header.descriptor_length * _SECTOR, "VMDK descriptor"
    )
    vmdk_descriptor.refuse_parents(text)
    vmdk_descriptor.check_embedded(text.partition(b"\0")[0], header.capacity, header.grain)


def _header_from_footer(view: window.Window, first: Header) -> Header:
    """Return the header that ends a stream-optimised disk; it must repeat the first one."""
    start = view.length - 3 * _SECTOR
    if start < _SECTOR:
        raise errors.TruncatedSource("the VMDK ends before its footer; fetch it again")
    raw = view.read(start, 3 * _SECTOR, "VMDK footer")
    _, *marker = _FOOTER.unpack_from(raw)
    end = _FOOTER.unpack_from(raw, 2 * _SECTOR)
    if marker != [0, _FOOTER_MARKER] or end != (0, 0, _END_MARKER):
        raise errors.TruncatedSource("the VMDK does not end with its footer; fetch it again")
    header = parse_header(raw[_SECTOR : 2 * _SECTOR])
    if header.directory == _AT_END:
        raise errors.CorruptImage("the VMDK's footer does not tell where its directory is")
    same = (header.capacity, header.grain, header.entries, header.compressed)
    if same != (first.capacity, first.grain, first.entries, first.compressed):
        raise errors.UnsafeImage("the VMDK's header and footer describe different disks")
    return header


def _check_tables(view: window.Window, header: Header) -> None:
    """Insist that every table and every grain has a place of its own."""
    length = 4 * header.entries
    tables = window.Occupancy("VMDK", view.length, length, _SECTOR)
    grains = _Grains(view, header)
    number = 0
    for piece in view.pieces(header.directory * _SECTOR, 4 * header.tables, "VMDK directory"):
        for (sector,) in struct.iter_unpack("<I", piece):
            if sector:
                tables.take(sector * _SECTOR)
                entries = view.read(sector * _SECTOR, length, "VMDK grain table")
                grains.take(number * header.entries, entries)
            number += 1


class _Grains:
    """Checks the grains of one table after the other."""

    def __init__(self, view: window.Window, header: Header) -> None:
        self._view = view
        self._header = header
        grain = header.grain * _SECTOR
        size = -(-view.length // grain) * grain + grain  # the last grain may be cut
        self._places = None if header.compressed else window.Occupancy("VMDK", size, grain, _SECTOR)

    def take(self, first: int, table: bytes) -> None:
        """Check the grains of a table that starts with grain number `first`."""
        if not any(table):
            return
        for number, (sector,) in enumerate(struct.iter_unpack("<I", table), first):
            if sector <= _ZERO_GRAIN:
                continue
            if sector < self._header.metadata:
                raise errors.CorruptImage("the VMDK maps a grain into its own tables")
            self._view.insist_on(sector * _SECTOR + 1, "VMDK grain")
            if self._places is None:
                self._check_marker(number, sector)
            else:
                self._places.take(sector * _SECTOR)

    def _check_marker(self, number: int, sector: int) -> None:
        """A compressed grain tells which one it is, so no two entries can share it."""
        start = sector * _SECTOR
        raw = self._view.read(start, _GRAIN_MARKER.size, "VMDK grain")
        address, length = _GRAIN_MARKER.unpack(raw)
        if address != number * self._header.grain:
            raise errors.CorruptImage(
                f"the VMDK's grain at byte {start} belongs to sector {address}, "
                f"but is mapped at sector {number * self._header.grain}"
            )
        self._view.insist_on(start + _GRAIN_MARKER.size + length, "VMDK grain")
        if length > 2 * self._header.grain * _SECTOR:
            raise errors.CorruptImage(f"the VMDK's grain at byte {start} has {length} bytes")
