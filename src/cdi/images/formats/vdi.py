"""
VirtualBox disk images (VDI): a header, one flat block map, blocks.

Types 1 (dynamic) and 2 (fixed) are whole disks. Undo and differencing images (3, 4) and anything
with a parent UUID need another file and are refused. The converter knows 1 MiB blocks only.
All numbers are little-endian; the header is always within the head.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import image, limits, window

SIGNATURE = bytes.fromhex("7f10dabe")
SIGNATURE_OFFSET = 0x40
BLOCK = 1 << 20

_HEADER = struct.Struct("<4sIIII256sII12xIIQIIII16s16s16s16s")
_UNALLOCATED = 0xFFFF_FFFE  # this and above: no data, reads as zeros
_DYNAMIC, _FIXED, _UNDO, _DIFFERENCING = 1, 2, 3, 4
_NO_UUID = bytes(16)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields that decide where blocks are."""

    image_type: int
    map_offset: int
    data_offset: int
    disk_size: int
    blocks: int
    allocated: int


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check a VDI; with `deep` also every entry of its block map."""
    header = parse_header(view)
    view.insist_on(header.map_offset + 4 * header.blocks, "VDI block map")
    view.insist_on(header.data_offset + BLOCK * header.allocated, "VDI data")
    if deep:
        _check_map(view, header)
    left = () if deep else ("VDI block map",)
    size = -(-header.disk_size // 512) * 512
    return image.Image("vdi", size, checks_left=left)


def parse_header(view: window.Window) -> Header:
    """Return the header. Raises UnsafeImage, UnsupportedFormat, CorruptImage, TruncatedSource."""
    raw = view.read(SIGNATURE_OFFSET, _HEADER.size, "VDI header")
    (_, version, _, image_type, _, _, map_offset, data_offset, sector, _, disk_size, block, extra,
     blocks, allocated, _, _, link, parent) = _HEADER.unpack(raw)  # fmt: skip
    if version != 0x0001_0001:
        raise errors.UnsupportedFormat(
            f"VDI version {version >> 16}.{version & 0xFFFF} is not read here; convert to qcow2"
        )
    _refuse_parents(image_type, link, parent)
    if block != BLOCK or extra or sector != 512:
        raise errors.UnsupportedFormat(
            f"VDI with blocks of {block} + {extra} bytes and sectors of {sector} is not read "
            "here, only 1 MiB blocks and 512-byte sectors; convert to qcow2"
        )
    limits.check_virtual_size("VDI", disk_size)
    limits.check_table_size("VDI", "block map", 4 * blocks)
    if map_offset % 512 or data_offset % 512 or map_offset < 512:
        raise errors.CorruptImage("the VDI image's block map or data is not on a sector boundary")
    if blocks * BLOCK < disk_size or allocated > blocks:
        raise errors.CorruptImage(
            f"the VDI image maps {blocks} blocks ({allocated} in use) for {disk_size} bytes"
        )
    if map_offset + 4 * blocks > data_offset:
        raise errors.CorruptImage("the VDI image's block map overlaps its data")
    return Header(image_type, map_offset, data_offset, disk_size, blocks, allocated)


def _refuse_parents(image_type: int, link: bytes, parent: bytes) -> None:
    if image_type in {_UNDO, _DIFFERENCING} or link != _NO_UUID or parent != _NO_UUID:
        raise errors.UnsafeImage(
            "the VDI image is a snapshot that needs its parent image; merge it into one file "
            "first, for example with `VBoxManage clonemedium`"
        )
    if image_type not in {_DYNAMIC, _FIXED}:
        raise errors.CorruptImage(f"the VDI image has the unknown type {image_type}")


def _check_map(view: window.Window, header: Header) -> None:
    """Insist that each allocated block has its own place among the allocated ones."""
    taken = bytearray(header.allocated)
    for piece in view.pieces(header.map_offset, 4 * header.blocks, "VDI block map"):
        for (block,) in struct.iter_unpack("<I", piece):
            if block >= _UNALLOCATED:
                continue
            if block >= header.allocated:
                raise errors.CorruptImage(
                    f"the VDI image maps block {block}, but has {header.allocated} blocks"
                )
            if taken[block]:
                raise errors.CorruptImage(f"the VDI image maps block {block} twice")
            taken[block] = 1
