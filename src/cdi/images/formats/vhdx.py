"""
Hyper-V disks (VHDX): two headers, two region tables, a metadata region, one block table.

Refused: a parent, a log that still has to be replayed, required regions or items that are not
known, copies of a table that disagree, blocks on top of each other or of the tables. The metadata
region comes after the head (at 2 MiB in every image we know), so that a stream does not tell the
disk's size. All numbers are little-endian; checksums are CRC-32C.
"""

from __future__ import annotations

import itertools
import struct
import uuid
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import crc32c, image, limits, occupancy, window

MAGIC = b"vhdxfile"

_MIB = 1 << 20
_HEADERS = (64 << 10, 128 << 10)
_HEADER_SIZE = 4 << 10
_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
_REGION_TABLES = (192 << 10, 256 << 10)
_TABLE_SIZE = 64 << 10  # of a region table and of the metadata table
_REGION_HEAD = struct.Struct("<4sIII")
_REGION = struct.Struct("<16sQII")
_METADATA_HEAD = struct.Struct("<8sHH20x")
_ITEM = struct.Struct("<16sIIII")
_MAX_ENTRIES = 2047
_REQUIRED_ITEM = 4


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


_BAT = _guid("2dc27766-f623-4200-9d64-115e9bfd4a08")
_METADATA = _guid("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_FILE_PARAMETERS = _guid("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_DISK_SIZE = _guid("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_LOGICAL_SECTOR = _guid("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL_SECTOR = _guid("cda348c7-445d-4471-9cc9-e9885251c556")
_DISK_ID = _guid("beca12ab-b2e6-4523-93ef-c309e000c746")
_PARENT_LOCATOR = _guid("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_KNOWN_ITEMS = {
    _FILE_PARAMETERS, _DISK_SIZE, _LOGICAL_SECTOR, _PHYSICAL_SECTOR, _DISK_ID, _PARENT_LOCATOR,
}  # fmt: skip

_HAS_PARENT = 2
_CHUNK_SECTORS = 1 << 23  # sectors of payload that one sector bitmap block describes
_PRESENT, _PARTIAL = 6, 7
_EMPTY_STATES = frozenset({0, 1, 2, 3})


@dataclass(frozen=True, slots=True)
class Region:
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Disk:
    """What the metadata says, with the place of the block table (BAT)."""

    size: int
    block: int
    sector: int
    bat: Region

    @property
    def chunk_ratio(self) -> int:
        """Payload blocks for each sector bitmap block in the BAT."""
        return _CHUNK_SECTORS * self.sector // self.block

    @property
    def entries(self) -> int:
        """Entries of the BAT: one a block, and a bitmap's between every two chunks."""
        blocks = -(-self.size // self.block)
        return blocks + (blocks - 1) // self.chunk_ratio


def inspect(view: window.Window, deep: bool) -> image.Image:
    """Check a VHDX; with `deep` also every entry of its block table."""
    log = _check_headers(view)
    regions = _regions(view)
    _refuse_overlaps({**regions, b"log": log})
    for region in regions.values():
        view.insist_on(region.offset + region.length, "VHDX regions")
    try:
        disk = _disk(view, regions)
    except window.OutOfReachError:
        return image.Image("vhdx", None, checks_left=("VHDX metadata", "VHDX block table"))
    if deep:
        _check_blocks(view, disk, [log, *regions.values()])
    left = () if deep else ("VHDX block table",)
    return image.Image("vhdx", disk.size, checks_left=left)


def _check_headers(view: window.Window) -> Region:
    """Return the log's place from the newer header; insist that the log is empty."""
    valid: list[tuple[int, bytes, int, int, Region]] = []
    for offset in _HEADERS:
        raw = view.read(offset, _HEADER_SIZE, "VHDX header")
        (signature, stored, sequence, _, _, log_guid, log_version, version, length,
         log_offset) = _HEADER.unpack_from(raw)  # fmt: skip
        if signature == b"head" and _checksum_of(raw) == stored:
            valid.append((sequence, log_guid, log_version, version, Region(log_offset, length)))
    if not valid:
        raise errors.CorruptImage("neither header of the VHDX image matches its checksum")
    _, log_guid, log_version, version, log = max(valid, key=lambda header: header[0])
    if version != 1 or log_version != 0:
        raise errors.UnsupportedFormat(f"VHDX version {version} (log {log_version}) is not read")
    if any(log_guid):
        raise errors.CorruptImage(
            "the VHDX image was not closed: its log has changes that are not in the disk yet; "
            "attach and detach it once where it comes from, or run `qemu-img check -r all`"
        )
    if log.offset % _MIB or log.length % _MIB or log.offset < _MIB:
        raise errors.CorruptImage(f"the VHDX image has its log at byte {log.offset}")
    return log


def _regions(view: window.Window) -> dict[bytes, Region]:
    """Return BAT and metadata regions; refuse copies of the table that disagree."""
    tables = []
    for offset in _REGION_TABLES:
        raw = view.read(offset, _TABLE_SIZE, "VHDX region table")
        signature, stored, count, _ = _REGION_HEAD.unpack_from(raw)
        if signature == b"regi" and _checksum_of(raw) == stored and count <= _MAX_ENTRIES:
            tables.append(_parse_regions(raw, count))
    if not tables:
        raise errors.CorruptImage("neither region table of the VHDX image matches its checksum")
    if tables[0] != tables[-1]:
        raise errors.UnsafeImage("the two region tables of the VHDX image differ")
    if set(tables[0]) != {_BAT, _METADATA}:
        raise errors.CorruptImage("the VHDX image lacks a block table or metadata")
    return tables[0]


def _parse_regions(raw: bytes, count: int) -> dict[bytes, Region]:
    found: dict[bytes, Region] = {}
    for index in range(count):
        guid, offset, length, required = _REGION.unpack_from(
            raw, _REGION_HEAD.size + index * _REGION.size
        )
        if guid not in {_BAT, _METADATA}:
            if required & 1:
                raise errors.UnsafeImage(f"the VHDX image uses an unknown region {guid.hex()}")
            continue
        if guid in found:
            raise errors.CorruptImage("the VHDX image lists the same region twice")
        if offset % _MIB or length % _MIB or offset < _MIB or not length:
            raise errors.CorruptImage(f"the VHDX image has a region at byte {offset}")
        found[guid] = Region(offset, length)
    return found


def _refuse_overlaps(regions: dict[bytes, Region]) -> None:
    placed = sorted((region.offset, region.length) for region in regions.values())
    for (start, length), (following, _) in itertools.pairwise(placed):
        if start + length > following:
            raise errors.CorruptImage(f"regions of the VHDX image overlap at byte {following}")


def _disk(view: window.Window, regions: dict[bytes, Region]) -> Disk:
    """Return what the metadata says. Raises OutOfReachError besides the usual."""
    items = _items(view, regions[_METADATA])
    if _PARENT_LOCATOR in items:
        _refuse_parent()
    try:
        block, flags = struct.unpack("<II", items[_FILE_PARAMETERS])
        (size,) = struct.unpack("<Q", items[_DISK_SIZE])
        (sector,) = struct.unpack("<I", items[_LOGICAL_SECTOR])
    except (KeyError, struct.error) as wrong:
        raise errors.CorruptImage("the VHDX image lacks its size, block or sector size") from wrong
    if flags & _HAS_PARENT:
        _refuse_parent()
    if sector not in {512, 4096} or block not in {_MIB << bit for bit in range(9)}:
        raise errors.CorruptImage(f"the VHDX image has blocks of {block}, sectors of {sector}")
    limits.check_virtual_size("VHDX", size)
    if size % sector:
        raise errors.CorruptImage(f"the VHDX image's size of {size} bytes is not whole sectors")
    disk = Disk(size, block, sector, regions[_BAT])
    limits.check_table_size("VHDX", "block table", 8 * disk.entries)
    if 8 * disk.entries > disk.bat.length:
        raise errors.CorruptImage(f"the VHDX image's block table is too short for {size} bytes")
    return disk


def _items(view: window.Window, region: Region) -> dict[bytes, bytes]:
    """Return the known metadata items by identifier."""
    table = view.read(region.offset, _TABLE_SIZE, "VHDX metadata")
    signature, _, count = _METADATA_HEAD.unpack_from(table)
    if signature != b"metadata" or count > _MAX_ENTRIES:
        raise errors.CorruptImage("the VHDX image's metadata region has no table")
    items: dict[bytes, bytes] = {}
    for index in range(count):
        guid, offset, length, flags, _ = _ITEM.unpack_from(
            table, _METADATA_HEAD.size + index * _ITEM.size
        )
        if guid not in _KNOWN_ITEMS:
            if flags & _REQUIRED_ITEM:
                raise errors.UnsafeImage(f"the VHDX image uses unknown metadata {guid.hex()}")
            continue
        if guid in items:
            raise errors.CorruptImage("the VHDX image lists the same metadata twice")
        if offset < _TABLE_SIZE or length > _MIB or offset + length > region.length:
            raise errors.CorruptImage("the VHDX image has metadata outside of its region")
        items[guid] = view.read(region.offset + offset, length, "VHDX metadata")
    return items


def _refuse_parent() -> None:
    raise errors.UnsafeImage(
        "the VHDX image is a differencing disk that needs its parent; merge it into one file first"
    )


def _check_blocks(view: window.Window, disk: Disk, regions: list[Region]) -> None:
    """Insist that every block has a place of its own, outside of the regions."""
    end = -(-view.length // disk.block) * disk.block
    places = occupancy.Occupancy("VHDX", max(end, view.length), disk.block, _MIB)
    reserved = [(region.offset, region.offset + region.length) for region in regions]
    reserved.append((0, _MIB))
    index = 0
    for piece in view.pieces(disk.bat.offset, 8 * disk.entries, "VHDX block table"):
        for (entry,) in struct.iter_unpack("<Q", piece):
            bitmap = index % (disk.chunk_ratio + 1) == disk.chunk_ratio
            index += 1
            state = entry & 7
            if not bitmap and state in _EMPTY_STATES:
                continue
            if bitmap and state == 0:
                continue
            if bitmap or state != _PRESENT:
                raise errors.UnsafeImage(
                    "the VHDX image has blocks that are only partly its own and needs a parent"
                    if bitmap or state == _PARTIAL
                    else f"the VHDX image has a block in the unknown state {state}"
                )
            start = entry >> 20 << 20
            view.insist_on(start + 1, "VHDX block")
            if any(start < stop and begin < start + disk.block for begin, stop in reserved):
                raise errors.CorruptImage("the VHDX image maps a block into its own tables")
            places.take(start)


def _checksum_of(raw: bytes) -> int:
    return crc32c.crc32c(raw[:4] + bytes(4) + raw[8:])
