"""
What bytes look like: for certain a disk, or for certain none (web pages, messages, archives).

What marks raw bytes as a disk are partition tables and optical file systems. Several of them in
one image are legitimate: installation media carry an MBR, a GPT and an ISO 9660 file system at
once, so that they boot from a stick and from a disc. A raw disk needs none of them, since a bare
file system or an empty disk is fine, too.

A raw disk may start with anything, so only certainty counts here. Text is recognised in UTF-8
and UTF-16, with or without a byte order mark. The rule for text:

- a web page, XML or a log-in form: its first sector holds markup and nothing but text;
- JSON: starts like it, and everything seen is text;
- other text: everything seen is text, and either all of it was seen and is shorter than
  LONGEST_MESSAGE, or its length is known and is not a whole number of sectors, as a disk's is.

Any NUL or control byte ends the certainty: a text at the start of a volume that is padded with
zeros is a raw disk.
"""

from __future__ import annotations

import codecs
import re
import struct

from cdi.images.formats import quoting, signatures

SECTOR = 512
# Error messages and checksum lists are shorter, disks of nothing but text are longer.
LONGEST_MESSAGE = 64 << 10

_SECTOR_SIZES = (512, 4096)
_GPT_MAGIC = b"EFI PART"
_ISO_DESCRIPTOR = 16 * 2048
_ISO_MAGIC = b"CD001"
_UDF_MAGICS = (b"BEA01", b"NSR02", b"NSR03")
_MBR_MAGIC = b"\x55\xaa"
_PARTITION = struct.Struct("<B3xB3xII")
_PARTITIONS_AT = 446
_ACTIVE = frozenset({0x00, 0x80})

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
         (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
_MARKUP = re.compile(
    r"(?:\s|<!--.*?(?:-->|$))*<(?:!doctype|\?xml|html|head|body|title|meta|script|svg|rss|Error\b)",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(r"\s*<(?:\?xml|Error\b|svg|rss)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def looks_like(head: bytes, size: int | None = None) -> str | None:
    """Say what the head looks like if it is no disk for certain, in words for an error message.

    `size` is the length of the whole if known. None where it may be a disk. Disks of formats
    that are not read here are the business of `signatures`.
    """
    if not head:
        return "nothing at all: it is empty"
    if structure_of(head):
        return None
    known = signatures.signature_of(head)
    if known is not None and known.kind is not signatures.Kind.DISK:
        return known.name
    text = _text_like(head, size)
    if text is not None:
        return f"{text}, starting with {quoting.quoted(_plain(head))}"
    if (len(head) if size is None else size) < SECTOR:
        return f"{len(head)} bytes, less than one sector"
    return None


def _text_like(head: bytes, size: int | None) -> str | None:
    beginning = _decoded(head[:SECTOR])
    if beginning is not None and _MARKUP.match(beginning):
        return "an XML document" if _XML.match(beginning) else "a web page"
    if beginning is None or (text := _decoded(head)) is None:
        return None
    if text.lstrip().startswith(("{", "[")):
        return "a JSON document"
    complete = size is not None and size <= len(head)
    short = complete and len(head) <= LONGEST_MESSAGE
    ragged = size is not None and size % SECTOR != 0
    return "plain text" if short or ragged else None


def _decoded(raw: bytes) -> str | None:
    """Return the text that `raw` is for certain, or None. The last character may be cut."""
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            return _printable(raw[len(bom) :], encoding)
    if raw[:1] == b"\0" or raw[1:2] == b"\0":
        return _printable(raw, "utf-16-be" if raw[:1] == b"\0" else "utf-16-le")
    text = _printable(raw, "utf-8")
    # Old pages are in one of many 8-bit encodings; what matters of them is ASCII.
    return _printable(raw, "latin-1") if text is None and raw[:1] == b"<" else text


def _printable(raw: bytes, encoding: str) -> str | None:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeDecodeError:
        return None
    return text if text.strip() and not _CONTROL.search(text) else None


def _plain(head: bytes) -> bytes:
    """The start of a text in UTF-8, without its byte order mark."""
    return (_decoded(head[:SECTOR]) or "").lstrip("\ufeff").encode()


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
