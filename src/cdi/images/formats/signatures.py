"""
How everything begins: disks that are read here, other disks, compressions, archives, documents.

A signature is bytes at an offset; where those are too short to be certain, a further test
decides. What no signature matches may be a raw disk. Elsewhere: the table of what is not read here
(`foreign`), what a format's own bytes have to be like (each format's module), and text, which is
no disk (`unclaimed`).

What marks raw bytes as a disk are partition tables and optical file systems. Several of them in
one image are legitimate: installation media carry an MBR, a GPT and an ISO 9660 file system at
once, so that they boot from a stick and from a disc. A raw disk needs none of them, since a bare
file system or an empty disk is fine, too. So only certainty counts of what is none."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cdi.images.formats import foreign

TRAILER_SIZE = 512
QCOW_MAGIC = b"QFI\xfb"  # of all versions; the number follows
VHD_COOKIE = b"conectix"
_DMG_TRAILER = b"koly"

SECTOR = 512

_SECTOR_SIZES = (512, 4096)
_GPT_MAGIC = b"EFI PART"
_ISO_DESCRIPTOR = 16 * 2048
_ISO_MAGIC = b"CD001"
_UDF_MAGICS = (b"BEA01", b"NSR02", b"NSR03")
_MBR_MAGIC = b"\x55\xaa"
_PARTITION = struct.Struct("<B3xB3xII")
_PARTITIONS_AT = 446
_ACTIVE = frozenset({0x00, 0x80})


class Kind(Enum):
    """What a signature stands for, and so which error names it."""

    READ = "read"  # a disk of a format that is read here
    DISK = "disk"  # a disk of a format that is not read here
    PACKED = "packed"  # something compressed or archived, perhaps a disk
    OTHER = "other"  # never a disk


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    kind: Kind
    magic: bytes
    offset: int = 0
    certain: Callable[[bytes], bool] | None = None

    def matches(self, head: bytes) -> bool:
        if not head.startswith(self.magic, self.offset):
            return False
        return self.certain is None or self.certain(head)


def formats_of(head: bytes) -> list[str]:
    """Return every format read here that would take these bytes for its own."""
    found = dict.fromkeys(known.name for known in _READ if known.matches(head))
    return [*found, "VMDK descriptor"] if is_descriptor(head) else list(found)


def signature_of(head: bytes) -> Signature | None:
    """Return the first signature in the table that the head matches."""
    return next((known for known in _KNOWN if known.matches(head)), None)


def is_dmg_trailer(trailer: bytes) -> bool:
    """Whether these last 512 bytes end an Apple disk image."""
    return trailer.startswith(_DMG_TRAILER) and trailer[8:12] == struct.pack(">I", 512)


def may_be_tar(head: bytes) -> bool:
    """Whether a checksum is where the header of a tar has one; few other bytes look like it."""
    return _TAR_CHECKSUM.match(head, 148) is not None


def is_descriptor(head: bytes) -> bool:
    """Whether a tool could take the file for the descriptor of a VMDK.

    Either the usual title, or what a prober accepts: comments and blank lines, then a version.
    """
    if _TITLE.match(head.removeprefix(b"\xef\xbb\xbf").lstrip()):
        return True
    for line in head[:4096].splitlines():
        if line.strip() and not line.lstrip().startswith(b"#"):
            return _VERSION.match(line.strip()) is not None
    return False


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


_TAR_CHECKSUM = re.compile(rb"[ \0]*[0-7]")
_TITLE = re.compile(rb"#\s*disk\s*descriptor\s*file", re.IGNORECASE)
_VERSION = re.compile(rb"version\s*=\s*\d+\s*$", re.IGNORECASE)


def _is_not_first_qcow(head: bytes) -> bool:
    return head[4:8] != _FIRST_QCOW


_FIRST_QCOW = b"\0\0\0\1"
_READ = tuple(
    Signature(name, Kind.READ, magic, *rest)
    for name, magic, *rest in (
        ("QCOW", QCOW_MAGIC + _FIRST_QCOW),
        ("qcow2", QCOW_MAGIC, 0, _is_not_first_qcow),
        ("VMDK", b"KDMV", 0),
        ("VMDK", b"COWD", 0),
        ("VDI", b"\x7f\x10\xda\xbe", 64),
        ("VHD", VHD_COOKIE, 0),
        ("VHDX", b"vhdxfile", 0),
        ("QED", b"QED\0", 0),
    )
)
_KNOWN = tuple(
    Signature(name, kind, magic, *rest)
    for kind, rows in (
        (Kind.DISK, foreign.DISKS),
        (Kind.PACKED, foreign.PACKED),
        (Kind.OTHER, foreign.OTHERS),
    )
    for name, magic, *rest in rows
)
