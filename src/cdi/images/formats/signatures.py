"""
How everything begins: disks that are read here, other disks, compressions, archives, documents.

A signature is bytes at an offset; where those are too short to be certain, a further test
decides. What is not read here is one table, in order of certainty. What no signature matches may
be a raw disk. Elsewhere: what a format's own bytes have to be like (each format's module).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

TRAILER_SIZE = 512
QCOW2_MAGIC = b"QFI\xfb"
VHD_COOKIE = b"conectix"
_DMG_TRAILER = b"koly"


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
    return list(dict.fromkeys(known.name for known in _READ if known.matches(head)))


def signature_of(head: bytes) -> Signature | None:
    """Return the first signature in the table that the head matches."""
    return next((known for known in _KNOWN if known.matches(head)), None)


def is_dmg_trailer(trailer: bytes) -> bool:
    """Whether these last 512 bytes end an Apple disk image."""
    return trailer.startswith(_DMG_TRAILER) and trailer[8:12] == struct.pack(">I", 512)


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
    return head[257:262] == b"ustar" and head[:100].split(b"\0")[0].lower().endswith(b".ovf")


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


_TAR_CHECKSUM = re.compile(rb"[ \0]*[0-7]")
_TITLE = re.compile(rb"#\s*disk\s*descriptor\s*file", re.IGNORECASE)
_VERSION = re.compile(rb"version\s*=\s*\d+\s*$", re.IGNORECASE)


def _read(name: str, magic: bytes, offset: int = 0) -> Signature:
    return Signature(name, Kind.READ, magic, offset)


def _disk(name: str, magic: bytes, offset: int = 0) -> Signature:
    return Signature(name, Kind.DISK, magic, offset)


def _packed(
    name: str, magic: bytes, certain: Callable[[bytes], bool] | None = None, offset: int = 0
) -> Signature:
    return Signature(name, Kind.PACKED, magic, offset, certain)


def _other(
    name: str, magic: bytes, certain: Callable[[bytes], bool] | None = None, offset: int = 0
) -> Signature:
    return Signature(name, Kind.OTHER, magic, offset, certain)


_READ = (
    _read("qcow2", QCOW2_MAGIC),
    _read("VMDK", b"KDMV"),
    _read("VMDK", b"COWD"),
    _read("VDI", b"\x7f\x10\xda\xbe", 64),
    _read("VHD", VHD_COOKIE),
    _read("VHDX", b"vhdxfile"),
    _read("QED", b"QED\0"),
    Signature("VMDK descriptor", Kind.READ, b"", certain=is_descriptor),
)
_KNOWN = (
    _disk("a LUKS-encrypted volume", b"LUKS\xba\xbe"),
    _disk("a Parallels disk", b"WithoutFreeSpace"),
    _disk("a Parallels disk", b"WithouFreSpacExt"),
    _disk("a Bochs disk", b"Bochs Virtual HD Image"),
    _disk("a compressed loop device (cloop)", b"#!/bin/sh\n#V2.0 Format\n"),
    _disk("an ESXi SEsparse snapshot", struct.pack("<Q", 0xCAFEBABE)),
    _disk("an Android sparse image (use simg2img)", b"\x3a\xff\x26\xed"),
    _disk("an EnCase forensic image", b"EVF\x09\x0d\x0a\xff\x00"),
    _disk("an AFF forensic image", b"AFF10\r\n\0"),
    _disk("a Windows image (WIM)", b"MSWIM\0\0\0"),
    _disk("a partclone image", b"partclone-image"),
    _packed("gzip data inside of another compression", b"\x1f\x8b\x08"),
    _packed("xz data inside of another compression", b"\xfd7zXZ\0"),
    _packed("zstd data inside of another compression", b"\x28\xb5\x2f\xfd"),
    _packed("bzip2 data inside of another compression", b"BZh", _is_bzip2),
    _packed("lz4 data inside of another compression", b"\x04\x22\x4d\x18"),
    _packed("legacy lz4 data", b"\x02\x21\x4c\x18"),
    _packed("legacy lzma data", b"\x5d\0\0", _is_lzma),
    _packed("lzip data", b"LZIP\1"),
    _packed("lzop data", b"\x89LZO\0\r\n\x1a\n"),
    _packed("compress (.Z) data", b"\x1f\x9d", _is_compress),
    _packed("lrzip data", b"LRZI\0"),
    _packed("framed snappy data", b"\xff\x06\0\0sNaPpY"),
    _packed("a zip archive", b"PK\x03\x04"),
    _packed("an empty zip archive", b"PK\x05\x06"),
    _packed("a split zip archive", b"PK\x07\x08"),
    _packed("a 7z archive", b"7z\xbc\xaf\x27\x1c"),
    _packed("a rar archive", b"Rar!\x1a\x07"),
    _packed("a cabinet archive", b"MSCF\0\0\0\0"),
    _packed("a xar archive", b"xar!\0"),
    _packed("a virtual appliance (OVA); import the disk inside of it", b"", _is_ova),
    _packed("an ar archive or Debian package", b"!<arch>\n"),
    _packed("an RPM package", b"\xed\xab\xee\xdb"),
    _other("a PDF document", b"%PDF-"),
    _other("a PostScript document", b"%!PS-"),
    _other("a PNG picture", b"\x89PNG\r\n\x1a\n"),
    _other("a JPEG picture", b"\xff\xd8\xff"),
    _other("a GIF picture", b"GIF87a"),
    _other("a GIF picture", b"GIF89a"),
    _other("an MP4 video", b"ftyp", _is_mpeg4, offset=4),
    _other("a Matroska or WebM video", b"\x1a\x45\xdf\xa3"),
    _other("an AVI video, WAV sound or WebP picture", b"RIFF", _has_riff_media),
    _other("a QuickTime video", b"moov", _is_quicktime, offset=4),
    _other("a QuickTime video", b"mdat", _is_quicktime, offset=4),
    _other("an MPEG video", b"\0\0\1\xba"),
    _other("an MPEG video", b"\0\0\1\xb3"),
    _other("an MPEG transport stream", b"G", _is_transport_stream),
    _other("a Flash video", b"FLV\1"),
    _other("a Windows Media file", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    _other("an Ogg stream", b"OggS\0"),
    _other("a FLAC sound", b"fLaC\0"),
    _other("an MP3 sound", b"ID3\2"),
    _other("an MP3 sound", b"ID3\3"),
    _other("an MP3 sound", b"ID3\4"),
    _other("an MP3 sound", b"\xff", _is_mp3),
    _other("an AIFF sound", b"FORM", _is_aiff),
    _other("a MIDI file", b"MThd\0\0\0\6"),
    _other("a TIFF picture", b"II*\0"),
    _other("a TIFF picture", b"MM\0*"),
    _other("an RTF document", b"{\\rtf1"),
    _other("a property list", b"bplist00"),
    _other("a WebAssembly module", b"\0asm\1\0\0\0"),
    _other("an Office document", bytes.fromhex("d0cf11e0a1b11ae1")),
    _other("an SQLite database", b"SQLite format 3\0"),
    _other("an ELF program", b"\x7fELF", _is_elf),
    _other("a Windows program", b"MZ", _is_pe),
)
