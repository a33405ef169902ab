"""
QED images: a header, one L1 table, L2 tables of the same length, clusters.

A backing file and unknown feature bits are refused. An image that was not closed cleanly (the
"need check" bit) is accepted, because the deep check verifies more than that bit asks for. All
numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import image, limits, occupancy, window

MAGIC = b"QED\0"

_HEADER = struct.Struct("<4sIIIQQQQQII")
_BACKING_FILE, _NEED_CHECK, _NO_PROBE = 1, 2, 4
_MAX_HEADER = 16  # clusters; every writer uses one
_ZERO_CLUSTER = 1  # an L2 entry that says: zeros, no data


@dataclass(frozen=True, slots=True)
class Header:
    """The fields that decide where clusters are, in bytes."""

    length: int  # of the header, whole clusters
    cluster: int
    table: int  # of the L1 table and of each L2 table
    l1_offset: int
    disk_size: int


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check a QED image; with `deep` also all of its tables."""
    header = parse_header(view)
    view.insist_on(header.l1_offset + header.table, "QED L1 table")
    if deep:
        _check_tables(view, header)
    left = () if deep else ("QED tables",)
    return image.Image("qed", header.disk_size, checks_left=left)


def parse_header(view: window.Window) -> Header:
    """Return the header. Raises UnsafeImage, CorruptImage, TruncatedSource."""
    raw = view.read(0, _HEADER.size, "QED header")
    (_, cluster, table, header_clusters, features, _, _, l1_offset, disk_size,
     _, backing_length) = _HEADER.unpack(raw)  # fmt: skip
    _refuse_features(features, backing_length)
    if cluster not in {1 << bit for bit in range(12, 27)} or table not in {1, 2, 4, 8, 16}:
        raise errors.CorruptImage(
            f"the QED image has clusters of {cluster} bytes and tables of {table} clusters"
        )
    if header_clusters > _MAX_HEADER:
        raise errors.CorruptImage(f"the QED image has a header of {header_clusters} clusters")
    limits.check_virtual_size("QED", disk_size)
    length = limits.check_table_size("QED", "L1 table", table * cluster)
    if disk_size % 512 or disk_size > cluster * (length // 8) ** 2:
        raise errors.CorruptImage(f"the QED image cannot map its disk of {disk_size} bytes")
    if l1_offset % cluster or l1_offset < max(header_clusters, 1) * cluster:
        raise errors.CorruptImage(f"the QED image has its L1 table at byte {l1_offset}")
    return Header(max(header_clusters, 1) * cluster, cluster, length, l1_offset, disk_size)


def _refuse_features(features: int, backing_length: int) -> None:
    if features & _BACKING_FILE or backing_length:
        raise errors.UnsafeImage(
            "the QED image names a backing file; merge it into one image first, for example "
            "with `qemu-img convert`"
        )
    if unknown := features & ~(_NEED_CHECK | _NO_PROBE):
        raise errors.UnsafeImage(f"the QED image uses unknown features (bits {unknown:#x})")


def _check_tables(view: window.Window, header: Header) -> None:
    """Insist that every table and every cluster has a place of its own."""
    places = occupancy.Occupancy(
        "QED", _rounded(view.length, header), header.cluster, header.cluster
    )
    for start in range(0, header.length, header.cluster):
        places.take(start)
    _take_table(places, header, header.l1_offset)
    for piece in view.pieces(header.l1_offset, header.table, "QED L1 table"):
        for (l2_offset,) in struct.iter_unpack("<Q", piece):
            if l2_offset:
                _take_table(places, header, l2_offset)
                _check_l2(view, header, places, l2_offset)


def _check_l2(
    view: window.Window, header: Header, places: occupancy.Occupancy, l2_offset: int
) -> None:
    for piece in view.pieces(l2_offset, header.table, "QED L2 table"):
        for (offset,) in struct.iter_unpack("<Q", piece):
            if offset > _ZERO_CLUSTER:
                places.take(offset)


def _take_table(places: occupancy.Occupancy, header: Header, offset: int) -> None:
    for start in range(offset, offset + header.table, header.cluster):
        places.take(start)


def _rounded(size: int, header: Header) -> int:
    """The last cluster of a file may be cut after its last used byte."""
    return -(-size // header.cluster) * header.cluster
