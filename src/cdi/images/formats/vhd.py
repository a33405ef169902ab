"""
Virtual PC and Hyper-V disks (VHD, qemu's "vpc"): a footer, and for dynamic disks a block table.

A fixed disk is the raw disk followed by a 512-byte footer; only its trailer tells it from a raw
disk. A dynamic disk starts with a copy of the footer, then come a header, a table of blocks and
the blocks, each with a bitmap in front. Differencing disks name a parent and are refused. All
numbers are big-endian; checksums are the complement of the sum of all other bytes.

The disk's size is the footer's current size, as Hyper-V and Azure define it. The converter is
told so, because by itself it trusts the geometry, which is rounded down, for unknown creators.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import image, limits, occupancy, window
from cdi.images.formats.signatures import VHD_COOKIE as COOKIE

FOOTER_SIZE = 512

_FOOTER = struct.Struct(">8sIIQI4sI4sQQ4sII16sB")
_CHECKSUM_AT = 64
_HEADER = struct.Struct(">8sQQIIII16sI")
_HEADER_SIZE = 1024
_HEADER_COOKIE = b"cxsparse"
_HEADER_CHECKSUM_AT = 36
_PARENT_NAME = slice(64, 64 + 512)
_VERSION = 0x0001_0000
_UNALLOCATED = 0xFFFF_FFFF
_SECTOR = 512
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
# Writers use 512 KiB and 2 MiB; the table of a larger block would not be a mistake, but a trap.
_BLOCKS = frozenset(1 << bit for bit in range(12, 29))


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer says about the disk."""

    disk_type: int
    header_offset: int
    disk_size: int
    creator: bytes


@dataclass(frozen=True, slots=True)
class Table:
    """Where a dynamic disk's block table is, and the length of a block's data."""

    offset: int
    entries: int
    block: int


def is_footer(raw: bytes) -> bool:
    """Whether a file's last bytes are a VHD footer for certain: cookie and checksum are right."""
    return len(raw) == FOOTER_SIZE and raw.startswith(COOKIE) and _checksum_fits(raw, _CHECKSUM_AT)


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check a dynamic VHD; with `deep` also its trailer and every entry of its block table."""
    footer = parse_footer(view.read(0, FOOTER_SIZE, "VHD footer"))
    if footer.disk_type != _DYNAMIC:
        raise errors.CorruptImage("the VHD starts with a footer, but is not a dynamic disk")
    left = _left_over("VHD trailer", lambda: _check_trailer(view, footer))
    try:
        table = _table(view, footer)
    except window.OutOfReachError:
        left += ("VHD block table",)
    else:
        view.insist_on(table.offset + 4 * table.entries, "VHD block table")
        if deep:
            _check_blocks(view, table)
        else:
            left += ("VHD block table",)
    return image.Image("vpc", footer.disk_size, checks_left=left)


def inspect_fixed(view: window.Window, footer: bytes) -> image.Image:
    """Check a fixed VHD by its trailer."""
    parsed = parse_footer(footer)
    if parsed.disk_type != _FIXED:
        raise errors.CorruptImage("the file ends like a dynamic VHD, but does not start like one")
    view.insist_on(parsed.disk_size + FOOTER_SIZE, "VHD data")
    if parsed.disk_size + FOOTER_SIZE != view.length:
        raise errors.UnsafeImage(
            f"the file of {view.length} bytes ends with the footer of a fixed VHD of "
            f"{parsed.disk_size} bytes, so that readers could disagree on what the disk is"
        )
    return image.Image("vpc", parsed.disk_size, flat=True)


def parse_footer(raw: bytes) -> Footer:
    """Return the footer. Raises UnsafeImage, UnsupportedFormat, CorruptImage."""
    (cookie, _, version, header_offset, _, creator, _, _, _, disk_size, _, disk_type,
     _, _, _) = _FOOTER.unpack_from(raw)  # fmt: skip
    if cookie != COOKIE or not _checksum_fits(raw, _CHECKSUM_AT):
        raise errors.CorruptImage("the VHD's footer does not match its checksum")
    if version != _VERSION:
        raise errors.UnsupportedFormat(f"VHD version {version:#x} is not read here")
    if disk_type == _DIFFERENCING:
        _refuse_parent()
    if disk_type not in {_FIXED, _DYNAMIC}:
        raise errors.UnsupportedFormat(f"VHD disks of type {disk_type} are not read here")
    limits.check_virtual_size("VHD", disk_size)
    if disk_size % _SECTOR:
        raise errors.CorruptImage(f"the VHD's size of {disk_size} bytes is not whole sectors")
    return Footer(disk_type, header_offset, disk_size, creator)


def _table(view: window.Window, footer: Footer) -> Table:
    """Return a dynamic disk's table. Raises OutOfReachError besides the usual."""
    if footer.header_offset % _SECTOR or footer.header_offset < FOOTER_SIZE:
        raise errors.CorruptImage(f"the VHD has its header at byte {footer.header_offset}")
    raw = view.read(footer.header_offset, _HEADER_SIZE, "VHD header")
    (cookie, _, offset, version, entries, block, _, parent, _) = _HEADER.unpack_from(raw)
    if cookie != _HEADER_COOKIE or not _checksum_fits(raw, _HEADER_CHECKSUM_AT):
        raise errors.CorruptImage("the VHD's dynamic header does not match its checksum")
    if version != _VERSION:
        raise errors.UnsupportedFormat(f"VHD header version {version:#x} is not read here")
    if any(parent) or any(raw[_PARENT_NAME]):
        _refuse_parent()
    if block not in _BLOCKS:
        raise errors.CorruptImage(f"the VHD has blocks of {block} bytes")
    limits.check_table_size("VHD", "block table", 4 * entries)
    if entries * block < footer.disk_size:
        raise errors.CorruptImage(
            f"the VHD maps {entries} blocks of {block} bytes, too few for {footer.disk_size}"
        )
    header_end = footer.header_offset + _HEADER_SIZE
    table_end = offset + 4 * entries
    if offset % _SECTOR or offset < FOOTER_SIZE:
        raise errors.CorruptImage(f"the VHD has its block table at byte {offset}")
    if offset < header_end and footer.header_offset < table_end:
        raise errors.CorruptImage("the VHD's block table overlaps its header")
    return Table(offset, entries, block)


def _refuse_parent() -> None:
    raise errors.UnsafeImage(
        "the VHD is a differencing disk that needs its parent; merge it into one file first"
    )


def _left_over(name: str, check: Callable[[], None]) -> tuple[str, ...]:
    """Run a check; return its name if its bytes are out of reach, nothing if it has passed."""
    try:
        check()
    except window.OutOfReachError:
        return (name,)
    return ()


def _check_trailer(view: window.Window, footer: Footer) -> None:
    """Insist that footer and copy tell the same disk: tools differ in which one they read."""
    end = view.length
    trailer = view.read(max(0, end - FOOTER_SIZE), FOOTER_SIZE, "VHD trailer")
    if not trailer.startswith(COOKIE):
        raise errors.TruncatedSource(
            "the VHD does not end with its footer; the file is cut short, fetch it again"
        )
    if parse_footer(trailer) != footer:
        raise errors.UnsafeImage("the VHD's two footers describe different disks")


def _check_blocks(view: window.Window, table: Table) -> None:
    """Insist that every block has a place of its own after the table."""
    bitmap = -(-table.block // _SECTOR // 8 // _SECTOR) * _SECTOR
    places = occupancy.Occupancy("VHD", view.length, bitmap + table.block, _SECTOR)
    first = table.offset + 4 * table.entries
    for piece in view.pieces(table.offset, 4 * table.entries, "VHD block table"):
        for (sector,) in struct.iter_unpack(">I", piece):
            if sector == _UNALLOCATED:
                continue
            if sector * _SECTOR < first:
                raise errors.CorruptImage("the VHD maps a block into its own tables")
            places.take(sector * _SECTOR)


def _checksum_fits(raw: bytes, at: int) -> bool:
    (stored,) = struct.unpack_from(">I", raw, at)
    total = sum(raw) - sum(raw[at : at + 4])
    return bool(stored == ~total & 0xFFFF_FFFF)
