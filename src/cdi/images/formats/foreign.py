"""
How everything begins that is not read here: other disks, compressions, archives, documents.

Rows are (name, magic, offset, further test), in order of certainty; the last two may be left out.
A test is there where the bytes alone are too short to be certain. Looked through by `signatures`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

Row = tuple[str, bytes] | tuple[str, bytes, int] | tuple[str, bytes, int, Callable[[bytes], bool]]


class Kind(Enum):
    """What a signature stands for, and so which error names it."""

    DISK = "disk"  # a disk of a format that is not read here
    PACKED = "packed"  # something compressed or archived, perhaps a disk
    OTHER = "other"  # never a disk


@dataclass(frozen=True, slots=True)
class Signature:
    """Bytes at an offset; where they are too short to be certain, a further test decides."""

    name: str
    kind: Kind
    magic: bytes
    offset: int = 0
    certain: Callable[[bytes], bool] | None = None


def _is_lzma(head: bytes) -> bool:
    """The old container has no magic: a sane dictionary, then a length that is sane or absent."""
    dictionary, length = struct.unpack_from("<IQ", head.ljust(14, b"\0"), 1)
    sane = dictionary in {1 << bit for bit in range(12, 31)}
    return sane and (length == 0xFFFF_FFFF_FFFF_FFFF or 0 < length < 1 << 48)


def _is_bzip2(head: bytes) -> bool:
    return head[3:4].isdigit() and head[4:10] in {
        bytes.fromhex("314159265359"),  # a block
        bytes.fromhex("177245385090"),  # the end of an empty stream
    }


def _is_pe(head: bytes) -> bool:
    """MZ alone is too short, and a kernel with a boot sector of its own may be a raw disk."""
    (at,) = struct.unpack_from("<I", head.ljust(64, b"\0"), 0x3C)
    return head[at : at + 4] == b"PE\0\0" and head[510:512] != b"\x55\xaa"


def _is_elf(head: bytes) -> bool:
    return head[4:5] in {b"\1", b"\2"} and head[5:6] in {b"\1", b"\2"} and head[6:7] == b"\1"


def _is_ova(head: bytes) -> bool:
    """A tar whose first member is an appliance's description."""
    return head[:100].split(b"\0")[0].lower().endswith(b".ovf")


def _is_compress(head: bytes) -> bool:
    """The third byte: two bits that are always zero, and the longest code in bits."""
    return 9 <= head.ljust(3, b"\0")[2] & 0x1F <= 16 and not head[2] & 0x60


def _is_mpeg4(head: bytes) -> bool:
    (length,) = struct.unpack_from(">I", head.ljust(4, b"\0"))
    return bool(8 <= length <= 4096 and length % 4 == 0)


def _is_mp3(head: bytes) -> bool:
    """Two frames of MPEG-1 layer III, one right behind the other; eleven set bits alone are few."""
    length = _mp3_frame(head)
    return bool(length and _mp3_frame(head[length:]))


def _mp3_frame(head: bytes) -> int:
    """Return the length of the frame that starts here, 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xFE != 0xFA:
        return 0
    rate, samples = _MP3_KILOBITS[head[2] >> 4], _MP3_SAMPLES[head[2] >> 2 & 3]
    return 144_000 * rate // samples + (head[2] >> 1 & 1) if rate and samples else 0


_MP3_KILOBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MP3_SAMPLES = (44_100, 48_000, 32_000, 0)  # a second


def _is_transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes, each of which starts with the same one."""
    return len(head) > 8 * 188 and head[: 8 * 188 : 188] == b"G" * 8


def _is_quicktime(head: bytes) -> bool:
    """A film of the time before `ftyp`: its first box, of a length that is whole."""
    (length,) = struct.unpack_from(">I", head.ljust(4, b"\0"))
    return bool(length == 1 or length >= 8)


def _is_aiff(head: bytes) -> bool:
    return head[8:12] in {b"AIFF", b"AIFC"}


def _has_riff_media(head: bytes) -> bool:
    return head[8:12] in {b"AVI ", b"WAVE", b"WEBP"}


# Disks of formats that are not read here.
DISKS: Final[tuple[Row, ...]] = (
    ("a LUKS-encrypted volume", b"LUKS\xba\xbe"),
    ("a Parallels disk", b"WithoutFreeSpace"),
    ("a Parallels disk", b"WithouFreSpacExt"),
    ("a Bochs disk", b"Bochs Virtual HD Image"),
    ("a compressed loop device (cloop)", b"#!/bin/sh\n#V2.0 Format\n"),
    ("an ESXi SEsparse snapshot", struct.pack("<Q", 0xCAFEBABE)),
    ("an Android sparse image (use simg2img)", b"\x3a\xff\x26\xed"),
    ("an EnCase forensic image", b"EVF\x09\x0d\x0a\xff\x00"),
    ("an AFF forensic image", b"AFF10\r\n\0"),
    ("a Windows image (WIM)", b"MSWIM\0\0\0"),
    ("a partclone image", b"partclone-image"),
)

# Something compressed or archived, perhaps a disk.
PACKED: Final[tuple[Row, ...]] = (
    ("gzip data inside of another compression", b"\x1f\x8b\x08"),
    ("xz data inside of another compression", b"\xfd7zXZ\0"),
    ("zstd data inside of another compression", b"\x28\xb5\x2f\xfd"),
    ("bzip2 data inside of another compression", b"BZh", 0, _is_bzip2),
    ("lz4 data inside of another compression", b"\x04\x22\x4d\x18"),
    ("legacy lz4 data", b"\x02\x21\x4c\x18"),
    ("legacy lzma data", b"\x5d\0\0", 0, _is_lzma),
    ("lzip data", b"LZIP\1"),
    ("lzop data", b"\x89LZO\0\r\n\x1a\n"),
    ("compress (.Z) data", b"\x1f\x9d", 0, _is_compress),
    ("lrzip data", b"LRZI\0"),
    ("framed snappy data", b"\xff\x06\0\0sNaPpY"),
    ("a zip archive", b"PK\x03\x04"),
    ("an empty zip archive", b"PK\x05\x06"),
    ("a split zip archive", b"PK\x07\x08"),
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c"),
    ("a rar archive", b"Rar!\x1a\x07"),
    ("a cabinet archive", b"MSCF\0\0\0\0"),
    ("a xar archive", b"xar!\0"),
    ("a virtual appliance (OVA); import the disk inside of it", b"ustar", 257, _is_ova),
    ("an ar archive or Debian package", b"!<arch>\n"),
    ("an RPM package", b"\xed\xab\xee\xdb"),
)

# Never a disk.
OTHERS: Final[tuple[Row, ...]] = (
    ("a PDF document", b"%PDF-"),
    ("a PostScript document", b"%!PS-"),
    ("a PNG picture", b"\x89PNG\r\n\x1a\n"),
    ("a JPEG picture", b"\xff\xd8\xff"),
    ("a GIF picture", b"GIF87a"),
    ("a GIF picture", b"GIF89a"),
    ("an MP4 video", b"ftyp", 4, _is_mpeg4),
    ("a Matroska or WebM video", b"\x1a\x45\xdf\xa3"),
    ("an AVI video, WAV sound or WebP picture", b"RIFF", 0, _has_riff_media),
    ("a QuickTime video", b"moov", 4, _is_quicktime),
    ("a QuickTime video", b"mdat", 4, _is_quicktime),
    ("an MPEG video", b"\0\0\1\xba"),
    ("an MPEG video", b"\0\0\1\xb3"),
    ("an MPEG transport stream", b"G", 0, _is_transport_stream),
    ("a Flash video", b"FLV\1"),
    ("a Windows Media file", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    ("an Ogg stream", b"OggS\0"),
    ("a FLAC sound", b"fLaC\0"),
    ("an MP3 sound", b"ID3\2"),
    ("an MP3 sound", b"ID3\3"),
    ("an MP3 sound", b"ID3\4"),
    ("an MP3 sound", b"\xff", 0, _is_mp3),
    ("an AIFF sound", b"FORM", 0, _is_aiff),
    ("a MIDI file", b"MThd\0\0\0\6"),
    ("a TIFF picture", b"II*\0"),
    ("a TIFF picture", b"MM\0*"),
    ("an RTF document", b"{\\rtf1"),
    ("a property list", b"bplist00"),
    ("a WebAssembly module", b"\0asm\1\0\0\0"),
    ("an Office document", bytes.fromhex("d0cf11e0a1b11ae1")),
    ("an SQLite database", b"SQLite format 3\0"),
    ("an ELF program", b"\x7fELF", 0, _is_elf),
    ("a Windows program", b"MZ", 0, _is_pe),
)

KNOWN: Final = tuple(
    Signature(name, kind, magic, *rest)
    for kind, rows in ((Kind.DISK, DISKS), (Kind.PACKED, PACKED), (Kind.OTHER, OTHERS))
    for name, magic, *rest in rows
)
