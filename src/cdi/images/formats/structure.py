"""
What marks raw bytes as a disk: partition tables and optical file systems.

Several of them in one image are legitimate: installation media carry an MBR, a GPT and an
ISO 9660 file system at once, so that they boot from a stick and from a disc. A raw disk needs
none of them, since a bare file system or an empty disk is fine, too.
"""

from __future__ import annotations

import struct

_SECTOR_SIZES = (512, 4096)
_GPT_MAGIC = b"EFI PART"
_ISO_DESCRIPTOR = 16 * 2048
_ISO_MAGIC = b"CD001"
_UDF_MAGICS = (b"BEA01", b"NSR02", b"NSR03")
_MBR_MAGIC = b"\x55\xaa"
_PARTITION = struct.Struct("<B3xB3xII")
_PARTITIONS_AT = 446
_ACTIVE = frozenset({0x00, 0x80})


def structure_of(head: bytes) -> str | None:
    """Name the disk structure that the head shows for certain, if there is one."""
    if any(head[size : size + 8] == _GPT_MAGIC for size in _SECTOR_SIZES):
        return "GPT"
    volume = head[_ISO_DESCRIPTOR + 1 : _ISO_DESCRIPTOR + 6]
    if volume == _ISO_MAGIC:
        return "ISO 9660"
    if volume in _UDF_MAGICS:
        return "UDF"
    if _has_partitions(head):
        return "MBR"
    return None


def _has_partitions(head: bytes) -> bool:
    """Whether there is an MBR with at least one partition, and none that is nonsense."""
    if head[510:512] != _MBR_MAGIC:
        return False
    entries = [_PARTITION.unpack_from(head, _PARTITIONS_AT + 16 * index) for index in range(4)]
    used = [entry for entry in entries if entry[1]]
    return bool(used) and all(
        active in _ACTIVE and start and sectors for active, _, start, sectors in used
    )
