"""
The qcow2 header: what it says, and whether this reader may go on.

Here: the fixed part and the header extensions, of versions 2 and 3. Elsewhere: what the tables
say (`tables`). Pure functions of the first bytes of a file. Offsets and sizes are in bytes.

Raises UnsafeImage for whatever reaches outside the file, hides its content or wants absurd
tables; CorruptImage for what contradicts the format; UnsupportedFormat for other versions;
TruncatedSource where the bytes end before the header does.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from cdi.images import errors

MAGIC = b"QFI\xfb"

# The header and its extensions lie in the first cluster. A file of large clusters could spread
# them over 2 MiB; no program does, and nobody should have to fetch that much to know a size.
HEAD_BYTES = 64 << 10

MAX_OFFSET = 1 << 56  # offsets have 56 bits in every table
_MAX_L1_BYTES = 32 << 20
_MAX_REFCOUNT_TABLE_BYTES = 8 << 20
_MAX_SNAPSHOTS = 65536

_FIXED = struct.Struct(">4sIQIIQIIQQIIQ")  # 72 bytes, all that version 2 has
_FEATURES = struct.Struct(">QQQII")  # what version 3 adds, up to byte 104
_EXTENSION = struct.Struct(">II")

_DIRTY = 1 << 0
_CORRUPT = 1 << 1
_EXTERNAL_DATA = 1 << 2
_COMPRESSION = 1 << 3
_EXTENDED_L2 = 1 << 4
_KNOWN = _DIRTY | _CORRUPT | _EXTERNAL_DATA | _COMPRESSION | _EXTENDED_L2

_END_OF_EXTENSIONS = 0
_ENCRYPTION_HEADER = 0x0537BE77
_DATA_FILE_NAME = 0x44415441


class Compression(IntEnum):
    """How compressed clusters are packed."""

    ZLIB = 0  # a raw deflate stream
    ZSTD = 1


@dataclass(frozen=True)
class Header:
    """A header that was found sane."""

    version: int
    cluster_bits: int
    virtual_size: int
    l1_offset: int
    l1_declared: int  # entries that the table has
    refcount_table_offset: int
    refcount_table_clusters: int
    compression: Compression = Compression.ZLIB
    extended_l2: bool = False

    @cached_property
    def cluster_size(self) -> int:
        return 1 << self.cluster_bits

    @cached_property
    def entry_bytes(self) -> int:
        """Size of one L2 entry."""
        return 16 if self.extended_l2 else 8

    @cached_property
    def l2_entries(self) -> int:
        """Entries of one L2 table, which always fills a cluster."""
        return self.cluster_size // self.entry_bytes

    @cached_property
    def l2_span(self) -> int:
        """Guest bytes that one L2 table maps."""
        return self.l2_entries << self.cluster_bits

    @cached_property
    def l1_entries(self) -> int:
        """L1 entries that map the disk. The table may be longer; the rest means nothing."""
        return -(-self.virtual_size // self.l2_span)


def parse_header(head: bytes, size: int | None, *, base: str | None = None) -> Header:
    """Read the header from the first bytes of a file of `size` bytes, None if not known.

    `head` is the file's first HEAD_BYTES bytes, or all of it where it is shorter. A backing file
    is refused, unless `base` says that the image holds the changes since a disk of that name: then
    it has to name just that one, which is compared and never opened.
    """
    if head[:4] != MAGIC[: len(head)]:
        raise errors.CorruptImage("this is not a qcow2 image: its magic number is missing")
    _insist_on(head, _FIXED.size)
    fixed = _FIXED.unpack_from(head)
    version, backing, cluster_bits, virtual_size, crypt, l1_size, l1_offset = (
        fixed[1], fixed[2], *fixed[4:9],
    )  # fmt: skip
    refcount_offset, refcount_clusters, snapshots, snapshots_offset = fixed[9:13]
    if version not in (2, 3):
        raise errors.UnsupportedFormat(
            f"the image is qcow version {version}; versions 2 and 3 are read. "
            "Convert it with `qemu-img convert -O qcow2`"
        )
    if base is not None:
        from cdi.images.formats.qcow2 import backing as named

        named.check(head, backing, fixed[3], base)
    elif backing:
        raise errors.UnsafeImage(
            "the image has a backing file: it would take content from another file. "
            "Flatten it with `qemu-img convert -O qcow2`"
        )
    if crypt:
        raise errors.UnsafeImage(f"the image is encrypted (method {crypt}); decrypt it first")
    features, compression, length = _features(head, version)
    if not 9 <= cluster_bits <= 21:
        raise errors.CorruptImage(f"cluster size 2^{cluster_bits} is not within 2^9 and 2^21")
    if features & _EXTENDED_L2 and cluster_bits < 14:
        raise errors.CorruptImage("extended L2 entries need clusters of at least 16 KiB")
    _check_extensions(head, length, 1 << cluster_bits)
    header = Header(
        version=version,
        cluster_bits=cluster_bits,
        virtual_size=virtual_size,
        l1_offset=l1_offset,
        l1_declared=l1_size,
        refcount_table_offset=refcount_offset,
        refcount_table_clusters=refcount_clusters,
        compression=compression,
        extended_l2=bool(features & _EXTENDED_L2),
    )
    _check_size(header)
    _check_tables(header, size)
    if snapshots > _MAX_SNAPSHOTS:
        raise errors.UnsafeImage(f"{snapshots} internal snapshots are more than {_MAX_SNAPSHOTS}")
    if snapshots:
        _check_place("snapshot table", snapshots_offset, 1, header.cluster_size)
    return header


def _insist_on(head: bytes, length: int) -> None:
    if len(head) < length:
        raise errors.TruncatedSource(f"the file ends after {len(head)} bytes, within its header")


def _features(head: bytes, version: int) -> tuple[int, Compression, int]:
    """Read what version 3 adds: incompatible features, compression, length of the header."""
    if version == 2:
        return 0, Compression.ZLIB, _FIXED.size
    _insist_on(head, _FIXED.size + _FEATURES.size)
    features, _, _, refcount_order, length = _FEATURES.unpack_from(head, _FIXED.size)
    if features & _EXTERNAL_DATA:
        raise errors.UnsafeImage("the image keeps its data in an external data file")
    if unknown := features & ~_KNOWN:
        raise errors.UnsafeImage(f"the image needs unknown features (bits {unknown:#x})")
    if features & _CORRUPT:
        raise errors.CorruptImage(
            "the image is marked as corrupt by the program that wrote it; "
            "repair it with `qemu-img check -r all`"
        )
    if refcount_order > 6:
        raise errors.CorruptImage(f"reference counts of 2^{refcount_order} bits do not exist")
    if length < _FIXED.size + _FEATURES.size or length % 8:
        raise errors.CorruptImage(f"a header of {length} bytes does not exist")
    kind = 0
    if length > _FIXED.size + _FEATURES.size:
        _insist_on(head, _FIXED.size + _FEATURES.size + 1)
        kind = head[_FIXED.size + _FEATURES.size]
    if (kind != Compression.ZLIB) != bool(features & _COMPRESSION):
        raise errors.CorruptImage(
            f"compression type {kind} does not agree with the feature bit that announces it"
        )
    if kind not in tuple(Compression):
        raise errors.UnsafeImage(f"the image needs the unknown compression type {kind}")
    return features, Compression(kind), length


def _check_extensions(head: bytes, start: int, cluster_size: int) -> None:
    """Walk the header extensions; refuse those that name a file or a key."""
    limit = min(cluster_size, HEAD_BYTES)
    while start + _EXTENSION.size <= limit:
        _insist_on(head, start + _EXTENSION.size)
        kind, length = _EXTENSION.unpack_from(head, start)
        if kind == _END_OF_EXTENSIONS:
            return
        if kind == _ENCRYPTION_HEADER:
            raise errors.UnsafeImage("the image is encrypted (LUKS); decrypt it first")
        if kind == _DATA_FILE_NAME:
            raise errors.UnsafeImage("the image names an external data file")
        start += _EXTENSION.size + -(-length // 8) * 8
    if start > limit:
        raise errors.CorruptImage("a header extension reaches beyond the header's cluster")


def _check_size(header: Header) -> None:
    if not header.virtual_size:
        raise errors.CorruptImage("the virtual size is 0")
    most = _MAX_L1_BYTES // 8
    if header.l1_declared > most or header.l1_entries > most:
        raise errors.UnsafeImage(
            f"L1 size too big: {max(header.l1_declared, header.l1_entries)} entries for a disk of "
            f"{header.virtual_size} bytes, at most {most} are read"
        )
    if header.l1_declared < header.l1_entries:
        raise errors.CorruptImage(
            f"L1 table is too small: {header.l1_declared} entries, the disk of "
            f"{header.virtual_size} bytes needs {header.l1_entries}"
        )


def _check_tables(header: Header, size: int | None) -> None:
    l1_bytes = header.l1_declared * 8
    refcount_bytes = header.refcount_table_clusters << header.cluster_bits
    if refcount_bytes > _MAX_REFCOUNT_TABLE_BYTES:
        raise errors.UnsafeImage(f"a refcount table of {refcount_bytes} bytes is absurd")
    _check_place("L1 table", header.l1_offset, l1_bytes, header.cluster_size)
    _check_place(
        "refcount table", header.refcount_table_offset, refcount_bytes, header.cluster_size
    )
    if size is not None and header.l1_offset + l1_bytes > size:
        raise errors.CorruptImage(
            f"the L1 table at {header.l1_offset} ends beyond the file of {size} bytes; "
            "it may have been cut short"
        )


def _check_place(name: str, offset: int, length: int, cluster_size: int) -> None:
    if offset % cluster_size:
        raise errors.CorruptImage(f"the {name} at {offset} is not aligned to a cluster")
    if offset < cluster_size:
        raise errors.CorruptImage(f"the {name} at {offset} overlaps the header")
    if offset + length > MAX_OFFSET:
        raise errors.CorruptImage(f"the {name} at {offset} is beyond 2^56")
