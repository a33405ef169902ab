"""
Builders of images byte by byte: sound ones, and the same with one thing wrong.

Every builder makes a small valid image unless told otherwise; a hostile image is a call with one
unusual argument. They share no code with the product, so that both would have to be wrong in the
same way. Sizes are in bytes.
"""

from __future__ import annotations

import struct
import uuid

SECTOR = 512
MIB = 1 << 20
CLUSTER = 1 << 16


def put(raw: bytes, offset: int, value: bytes) -> bytes:
    """Return `raw` with `value` at `offset`, longer if need be."""
    raw = raw.ljust(offset + len(value), b"\0")
    return raw[:offset] + value + raw[offset + len(value) :]


# qcow2: header, one refcount table, one L1 table ---------------------------------------------


def qcow2(
    version: int = 3,
    backing: bytes = b"",
    size: int = MIB,
    crypt: int = 0,
    cluster_bits: int = 16,
    l1_entries: int = 1,
    l1_offset: int = 3 * CLUSTER,
    refcount_clusters: int = 1,
    snapshots: int = 0,
    incompatible: int = 0,
    extensions: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    raw = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, 0x400 if backing else 0, len(backing),
        cluster_bits, size, crypt, l1_entries, l1_offset, CLUSTER, refcount_clusters, snapshots,
        4 * CLUSTER if snapshots else 0,
    )  # fmt: skip
    raw += struct.pack(">QQQII", incompatible, 0, 0, 4, 104)
    for kind, data in extensions:
        raw += struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)
    raw += bytes(8)
    if backing:
        raw = put(raw, 0x400, backing)
    return raw.ljust(5 * CLUSTER, b"\0")


# VMDK: header, descriptor, one grain table ---------------------------------------------------

DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=12345678
{parent}
createType="{kind}"

# Extent description
{extents}

#DDB
ddb.virtualHWVersion = "4"
"""


def descriptor(
    parent: str = "parentCID=ffffffff",
    kind: str = "monolithicSparse",
    extents: str = 'RW 2048 SPARSE "disk.vmdk"',
) -> bytes:
    return DESCRIPTOR.format(parent=parent, kind=kind, extents=extents).encode()


def vmdk(
    text: bytes | None = None,
    version: int = 1,
    flags: int = 3,
    capacity: int = 2048,
    grain: int = 128,
    entries: int = 512,
    descriptor_at: int = 1,
    descriptor_length: int = 20,
    directory: int = 26,
    metadata: int = 128,
    newlines: bytes = b"\n \r\n",
    compression: int = 0,
    table: dict[int, int] | None = None,
    tables: dict[int, int] | None = None,
) -> bytes:
    """`tables` maps directory entries and `table` grain entries to sectors."""
    raw = struct.pack(
        "<4sIIQQQQIQQQB4sH", b"KDMV", version, flags, capacity, grain, descriptor_at,
        descriptor_length, entries, 0, directory, metadata, 0, newlines, compression,
    )  # fmt: skip
    raw = put(raw, SECTOR, descriptor() if text is None else text)
    for index, sector in ({0: 27} if tables is None else tables).items():
        raw = put(raw, 26 * SECTOR + 4 * index, struct.pack("<I", sector))
    for index, sector in ({0: 128} if table is None else table).items():
        raw = put(raw, 27 * SECTOR + 4 * index, struct.pack("<I", sector))
    return raw.ljust((128 + 128) * SECTOR, b"\0")


# VDI: header, map, blocks --------------------------------------------------------------------


def vdi(
    version: int = 0x10001,
    kind: int = 1,
    map_at: int = 512,
    data_at: int = 1024,
    sector: int = 512,
    size: int = 2 * MIB,
    block: int = MIB,
    blocks: int = 2,
    allocated: int = 1,
    link: bytes = bytes(16),
    parent: bytes = bytes(16),
    entries: tuple[int, ...] = (0, 0xFFFFFFFF),
    stored: int = 1,
) -> bytes:
    raw = b"<<< disk image >>>\n".ljust(0x40, b"\0")
    raw += struct.pack("<IIIII256s", 0xBEDA107F, version, 0x180, kind, 0, b"")
    raw += struct.pack(
        "<II12xIIQIIII", map_at, data_at, sector, 0, size, block, 0, blocks, allocated
    )
    raw += bytes(32) + link + parent
    raw = put(raw, 512, struct.pack(f"<{len(entries)}I", *entries))
    return raw.ljust(1024 + stored * MIB, b"\0")


# VHD: footer, header, table, blocks ----------------------------------------------------------


def _summed(raw: bytes, at: int) -> bytes:
    raw = put(raw, at, bytes(4))
    return put(raw, at, struct.pack(">I", ~sum(raw) & 0xFFFFFFFF))


def vhd_footer(kind: int = 3, size: int = 4 * MIB, version: int = 0x10000) -> bytes:
    at = 0xFFFFFFFFFFFFFFFF if kind == 2 else 512
    raw = struct.pack(">8sIIQI4sI4sQQ4sI", b"conectix", 2, version, at, 0, b"win ", 0, b"Wi2k",
                      size, size, bytes(4), kind)  # fmt: skip
    return _summed(raw.ljust(SECTOR, b"\0"), 64)


def vhd(
    kind: int = 3,
    size: int = 4 * MIB,
    version: int = 0x10000,
    table_at: int = 1536,
    entries: int = 2,
    block: int = 2 * MIB,
    parent: bytes = b"",
    sectors: tuple[int, ...] = (4, 0xFFFFFFFF),
    trailer: bytes | None = None,
) -> bytes:
    footer = vhd_footer(kind, size, version)
    header = struct.pack(">8sQQIII", b"cxsparse", 0xFFFFFFFFFFFFFFFF, table_at, 0x10000, entries,
                         block)  # fmt: skip
    header = _summed(put(header, 64, parent).ljust(1024, b"\0"), 36)
    table = struct.pack(f">{len(sectors)}I", *sectors).ljust(SECTOR, b"\xff")
    raw = footer + header + table
    return raw + bytes(SECTOR + 2 * MIB) + (footer if trailer is None else trailer)


# VHDX: headers, region tables, metadata, table, blocks ---------------------------------------

BAT = "2dc27766-f623-4200-9d64-115e9bfd4a08"
METADATA = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
PARAMETERS = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
DISK_SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
LOGICAL = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
PHYSICAL = "cda348c7-445d-4471-9cc9-e9885251c556"
DISK_ID = "beca12ab-b2e6-4523-93ef-c309e000c746"
LOCATOR = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
UNKNOWN = "00000000-1111-2222-3333-444444444444"


def _shifted(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


_SHIFTED = [_shifted(byte) for byte in range(256)]


def crc32c(raw: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in raw:
        crc = crc >> 8 ^ _SHIFTED[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _sealed(raw: bytes, length: int) -> bytes:
    raw = put(raw, 4, bytes(4)).ljust(length, b"\0")
    return put(raw, 4, struct.pack("<I", crc32c(raw)))


def vhdx_header(sequence: int = 1, log: bytes = bytes(16), version: int = 1) -> bytes:
    raw = struct.pack("<4sIQ32x16sHHIQ", b"head", 0, sequence, log, 0, version, MIB, MIB)
    return _sealed(raw, 4096)


def vhdx_regions(*regions: tuple[str, int, int, int]) -> bytes:
    regions = regions or ((BAT, 3 * MIB, MIB, 1), (METADATA, 2 * MIB, MIB, 1))
    raw = struct.pack("<4sIII", b"regi", 0, len(regions), 0)
    for guid, offset, length, required in regions:
        raw += struct.pack("<16sQII", uuid.UUID(guid).bytes_le, offset, length, required)
    return _sealed(raw, 64 << 10)


def vhdx_metadata(
    size: int = 2 * MIB,
    block: int = MIB,
    flags: int = 0,
    sector: int = 512,
    more: tuple[tuple[str, bytes], ...] = (),
    at: int | None = None,
) -> bytes:
    items = (
        (PARAMETERS, struct.pack("<II", block, flags)),
        (DISK_SIZE, struct.pack("<Q", size)),
        (LOGICAL, struct.pack("<I", sector)),
        (PHYSICAL, struct.pack("<I", 4096)),
        (DISK_ID, bytes(range(16))),
        *more,
    )
    raw = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    content, offset = b"", 64 << 10
    for guid, value in items:
        place = offset + len(content) if at is None else at
        raw += struct.pack("<16sIII4x", uuid.UUID(guid).bytes_le, place, len(value), 4)
        content += value
    return raw.ljust(offset, b"\0") + content


_HEADER = vhdx_header()
_OLD_HEADER = vhdx_header(sequence=0)
_REGIONS = vhdx_regions()


def vhdx(
    headers: tuple[bytes, bytes] = (_OLD_HEADER, _HEADER),
    regions: tuple[bytes, bytes] = (_REGIONS, _REGIONS),
    metadata: bytes | None = None,
    entries: tuple[int, ...] = (4 * MIB | 6, 0),
) -> bytes:
    raw = bytearray(5 * MIB)
    places = {
        0: b"vhdxfile",
        64 << 10: headers[0],
        128 << 10: headers[1],
        192 << 10: regions[0],
        256 << 10: regions[1],
        2 * MIB: vhdx_metadata() if metadata is None else metadata,
        3 * MIB: struct.pack(f"<{len(entries)}Q", *entries),
    }
    for offset, value in places.items():
        raw[offset : offset + len(value)] = value
    return bytes(raw)


# QED: header, L1, one L2, clusters -----------------------------------------------------------

QED_CLUSTER = 4096
QED_L1, QED_L2, QED_DATA = QED_CLUSTER, 3 * QED_CLUSTER, 5 * QED_CLUSTER


def qed(
    cluster: int = QED_CLUSTER,
    table: int = 2,
    header: int = 1,
    features: int = 0,
    l1_at: int = QED_L1,
    size: int = MIB,
    backing: bytes = b"",
    l1: tuple[int, ...] = (QED_L2,),
    l2: tuple[int, ...] = (QED_DATA,),
) -> bytes:
    raw = struct.pack("<4sIIIQQQQQII", b"QED\0", cluster, table, header, features, 0, 0, l1_at,
                      size, 64 if backing else 0, len(backing)) + backing  # fmt: skip
    raw = put(raw, QED_L1, struct.pack(f"<{len(l1)}Q", *l1))
    raw = put(raw, QED_L2, struct.pack(f"<{len(l2)}Q", *l2))
    return raw.ljust(QED_DATA + QED_CLUSTER, b"\0")


# QCOW version 1: header, L1, one L2, clusters -------------------------------------------------

QCOW_CLUSTER = 4096
QCOW_L1, QCOW_L2, QCOW_DATA = 48, QCOW_CLUSTER, 2 * QCOW_CLUSTER


def qcow_packed(offset: int, length: int) -> int:
    """An entry of an L2 table for a compressed cluster."""
    return 1 << 63 | length << 51 | offset


def qcow(
    cluster_bits: int = 12,
    l2_bits: int = 9,
    l1_at: int = QCOW_L1,
    size: int = MIB,
    crypt: int = 0,
    backing: bytes = b"",
    l1: tuple[int, ...] = (QCOW_L2,),
    l2: tuple[int, ...] = (QCOW_DATA,),
) -> bytes:
    raw = struct.pack(">4sIQIIQBBHIQ", b"QFI\xfb", 1, 128 if backing else 0, len(backing), 0, size,
                      cluster_bits, l2_bits, 0, crypt, l1_at)  # fmt: skip
    raw = put(raw, 128, backing)
    raw = put(raw, QCOW_L1, struct.pack(f">{len(l1)}Q", *l1))
    raw = put(raw, QCOW_L2, struct.pack(f">{len(l2)}Q", *l2))
    return raw.ljust(QCOW_DATA + QCOW_CLUSTER, b"\0")


# Raw disks -----------------------------------------------------------------------------------


def mbr(raw: bytes = bytes(MIB)) -> bytes:
    entry = struct.pack("<B3xB3xII", 0x80, 0x83, 2048, 4096)
    return put(put(raw, 446, entry), 510, b"\x55\xaa")


def gpt(raw: bytes = bytes(MIB)) -> bytes:
    protective = struct.pack("<B3xB3xII", 0, 0xEE, 1, 0xFFFFFFFF)
    return put(put(put(raw, 446, protective), 510, b"\x55\xaa"), 512, b"EFI PART")


def iso(raw: bytes = bytes(MIB)) -> bytes:
    return put(raw, 16 * 2048, b"\x01CD001\x01")
