"""
The header of a sparse VMDK, which its footer repeats: where tables and grains are.

Here: its fields, checked as far as they can be by themselves. Elsewhere: the embedded text
(`descriptor`), what must fit to the file (`inspection`). A pure function of 512 bytes.
Raises UnsafeImage, UnsupportedFormat or CorruptImage.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from cdi.images import errors
from cdi.images.formats import limits
from cdi.images.formats.vmdk import descriptor as descriptors

MAGIC = b"KDMV"
COWD_MAGIC = b"COWD"
SECTOR = 512
HEADER_BYTES = SECTOR
AT_END = 0xFFFF_FFFF_FFFF_FFFF  # the grain directory is found through the footer
ENTRY = 4  # bytes of an entry, of a table as of the directory

_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_NEWLINES = b"\n \r\n"  # in the header, so that a transfer in text mode is noticed
_COMPRESSED, _MARKERS = 1 << 16, 1 << 17
_TELLS_NEWLINES, _REDUNDANT, _ZEROED = 1 << 0, 1 << 1, 1 << 2
_KNOWN_FLAGS = _TELLS_NEWLINES | _REDUNDANT | _ZEROED | _COMPRESSED | _MARKERS
_GRAINS = frozenset(1 << bit for bit in range(3, 15))  # 4 KiB to 8 MiB
_TABLE_ENTRIES = 512
_MAX_SECTOR = 1 << 40  # far beyond what 32-bit entries reach, far from overflow
_MAX_DESCRIPTOR = 2048  # where it ends at the latest: within the first MiB


@dataclass(frozen=True)
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
    zeroed: bool  # an entry of 1 stands for a grain of zeros

    @property
    def virtual_size(self) -> int:
        return self.capacity * SECTOR

    @cached_property
    def tables(self) -> int:
        """Entries of the grain directory."""
        return -(-self.capacity // (self.grain * self.entries))

    @cached_property
    def table_bytes(self) -> int:
        return self.entries * ENTRY

    @cached_property
    def grain_bytes(self) -> int:
        return self.grain * SECTOR

    @cached_property
    def span(self) -> int:
        """Guest bytes that one grain table maps."""
        return self.entries * self.grain_bytes

    @cached_property
    def first_grain(self) -> int:
        """The sector before which there can be no grain, whatever the header says of that."""
        return max(self.metadata, self.descriptor + self.descriptor_length)


def parse_header(raw: bytes) -> Header:
    """Return the header. Raises UnsafeImage, UnsupportedFormat, CorruptImage.

    A disk that was not closed properly is read: every table is checked here in any case.
    """
    (magic, version, flags, capacity, grain, descriptor, descriptor_length, entries, _,
     directory, metadata, _, newlines, compression) = _HEADER.unpack_from(raw)  # fmt: skip
    if magic != MAGIC:
        raise errors.CorruptImage("the VMDK's footer holds no header")
    _check_features(version, flags, newlines, compression)
    if capacity == 0 or descriptor == 0:
        raise descriptors.part_of_a_disk()
    if (
        grain not in _GRAINS
        or entries != _TABLE_ENTRIES
        or descriptor + descriptor_length > _MAX_DESCRIPTOR
        or metadata > _MAX_SECTOR
        or (directory > _MAX_SECTOR and directory != AT_END)
    ):
        raise errors.UnsafeImage(
            f"the VMDK has grains of {grain} sectors, tables of {entries} entries, a "
            f"descriptor of {descriptor_length} sectors at {descriptor}, a directory at "
            f"{directory} and {metadata} sectors of metadata; no product writes that"
        )
    limits.check_virtual_size("VMDK", capacity * SECTOR)
    header = Header(
        capacity=capacity,
        grain=grain,
        descriptor=descriptor,
        descriptor_length=descriptor_length,
        entries=entries,
        directory=directory,
        metadata=metadata,
        compressed=compression == 1,
        zeroed=bool(flags & _ZEROED),
    )
    limits.check_table_size("VMDK", "grain directory", ENTRY * header.tables)
    if header.directory == AT_END and not header.compressed:
        raise errors.CorruptImage("the VMDK has no grain directory")
    return header


def check_footer(first: Header, footer: Header) -> None:
    """Insist that the footer describes the disk that the header does."""
    if footer.directory == AT_END:
        raise errors.CorruptImage("the VMDK's footer does not tell where its directory is")
    same = (footer.capacity, footer.grain, footer.entries, footer.compressed, footer.zeroed)
    if same != (first.capacity, first.grain, first.entries, first.compressed, first.zeroed):
        raise errors.UnsafeImage("the VMDK's header and footer describe different disks")


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
