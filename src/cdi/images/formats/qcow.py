"""
QCOW images of version 1: a short header, one L1 table, L2 tables, clusters.

What versions 2 and 3 grew out of, and a format of its own: other fields, tables that may be
shorter or longer than a cluster, compressed clusters of any length in bytes. A backing file and
encryption are refused. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import image, limits, occupancy, window

_HEADER = struct.Struct(">4sIQIIQBBHIQ")
_SECTOR = 512
_COMPRESSED = 1 << 63


@dataclass(frozen=True, slots=True)
class Header:
    """The fields that decide where clusters are, in bytes."""

    cluster: int
    table: int  # of each L2 table
    l1_offset: int
    l1_entries: int
    disk_size: int


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check an image of version 1; with `deep` also all of its tables."""
    header = parse_header(view)
    view.insist_on(header.l1_offset + 8 * header.l1_entries, "QCOW L1 table")
    if deep:
        _check_tables(view, header)
    left = () if deep else ("QCOW tables",)
    return image.Image("qcow", header.disk_size, checks_left=left)


def parse_header(view: window.Window) -> Header:
    """Return the header. Raises UnsafeImage, CorruptImage, TruncatedSource."""
    raw = view.read(0, _HEADER.size, "QCOW header")
    (_, _, backing, backing_length, _, disk_size,
     cluster_bits, l2_bits, _, crypt, l1_offset) = _HEADER.unpack(raw)  # fmt: skip
    _refuse_others(backing, backing_length, crypt)
    if not 9 <= cluster_bits <= 16 or not 6 <= l2_bits <= 13:
        raise errors.CorruptImage(
            f"the QCOW image has clusters of 2^{cluster_bits} bytes and tables of 2^{l2_bits}"
        )
    limits.check_virtual_size("QCOW", disk_size)
    if disk_size % _SECTOR:
        raise errors.CorruptImage(f"the QCOW image has a disk of {disk_size} bytes")
    entries = -(-disk_size >> cluster_bits + l2_bits)
    limits.check_table_size("QCOW", "L1 table", 8 * entries)
    if l1_offset < _HEADER.size:
        raise errors.CorruptImage(f"the QCOW image has its L1 table at byte {l1_offset}")
    return Header(1 << cluster_bits, 8 << l2_bits, l1_offset, entries, disk_size)


def _refuse_others(backing: int, backing_length: int, crypt: int) -> None:
    if backing or backing_length:
        raise errors.UnsafeImage(
            "the QCOW image names a backing file; merge it into one image first, for example "
            "with `qemu-img convert`"
        )
    if crypt:
        raise errors.UnsafeImage(f"the QCOW image is encrypted (method {crypt}); decrypt it first")


def _check_tables(view: window.Window, header: Header) -> None:
    """Insist that every table and every cluster has a place of its own."""
    tables = occupancy.Occupancy("QCOW", view.length, header.table, _SECTOR)
    clusters = _Clusters(view.length, header)
    for piece in view.pieces(header.l1_offset, 8 * header.l1_entries, "QCOW L1 table"):
        for (offset,) in struct.iter_unpack(">Q", piece):
            if offset:
                tables.take(offset)
                for part in view.pieces(offset, header.table, "QCOW L2 table"):
                    clusters.take(part)


class _Clusters:
    """The clusters that L2 tables map. The last one may be cut after its last used byte."""

    def __init__(self, size: int, header: Header) -> None:
        self._cluster, self._size = header.cluster, size
        rounded = -(-size // header.cluster) * header.cluster
        self._plain = occupancy.Occupancy("QCOW", rounded, header.cluster, _SECTOR)
        self._length_at = 64 - header.cluster.bit_length()  # within an entry, in bits
        self._packed = 0

    def take(self, table: bytes) -> None:
        """Mark all that a part of a table maps. Raises TruncatedSource or CorruptImage."""
        for (entry,) in struct.iter_unpack(">Q", table):
            if entry & _COMPRESSED:
                self._take_compressed(entry)
            elif entry:
                self._plain.take(entry)

    def _take_compressed(self, entry: int) -> None:
        """Their places are any: that they do not overlap shows in how much they are together."""
        length = entry >> self._length_at & self._cluster - 1
        end = (entry & (1 << self._length_at) - 1) + length
        if end > self._size:
            raise errors.TruncatedSource(
                f"the QCOW image ends at byte {self._size}, but a compressed cluster reaches to "
                f"byte {end}; the file is cut short or damaged"
            )
        self._packed += length
        if not length or self._packed > self._size:
            raise errors.CorruptImage("the QCOW image maps compressed clusters that overlap")
