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

from cdi.images.formats import foreign
from cdi.images.formats.foreign import Signature

TRAILER_SIZE = 512
QCOW_MAGIC = b"QFI\xfb"  # of all versions; the number follows
VHD_COOKIE = b"conectix"
_DMG_TRAILER = b"koly"

SECTOR = 512

_FIRST_VERSION = b"\0\0\0\1"  # which is another format than those after it
_READ = (
    ("VMDK", b"KDMV", 0),
    ("VMDK", b"COWD", 0),
    ("VDI", b"\x7f\x10\xda\xbe", 64),
    ("VHD", VHD_COOKIE, 0),
    ("VHDX", b"vhdxfile", 0),
    ("QED", b"QED\0", 0),
)

_SECTOR_SIZES = (512, 4096)
_GPT_MAGIC = b"EFI PART"
_ISO_DESCRIPTOR = 16 * 2048
_ISO_MAGIC = b"CD001"
_UDF_MAGICS = (b"BEA01", b"NSR02", b"NSR03")
_MBR_MAGIC = b"\x55\xaa"
_PARTITION = struct.Struct("<B3xB3xII")
_PARTITIONS_AT = 446
_ACTIVE = frozenset({0x00, 0x80})


def formats_of(head: bytes) -> list[str]:
    """Return every format read here that would take these bytes for its own."""
    found = [name for name, magic, at in _READ if head.startswith(magic, at)]
    if head.startswith(QCOW_MAGIC):
        first = head.startswith(_FIRST_VERSION, len(QCOW_MAGIC))
        found.insert(0, "QCOW" if first else "qcow2")
    return [*found, "VMDK descriptor"] if is_descriptor(head) else found


def signature_of(head: bytes) -> Signature | None:
    """Return the first signature of what is not read here that the head matches."""
    return next((known for known in foreign.KNOWN if _matches(known, head)), None)


def _matches(known: Signature, head: bytes) -> bool:
    if not head.startswith(known.magic, known.offset):
        return False
    return known.certain is None or known.certain(head)


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
