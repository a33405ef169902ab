"""
What no format claims: a raw disk, or for certain no disk at all.

What marks raw bytes as a disk is in `signatures`. Text is recognised in UTF-8 and UTF-16, with or
without a byte order mark:

- a web page, XML or a log-in form: its first sector holds markup and nothing but text;
- JSON: starts like it, and everything seen is text;
- other text: everything seen is text, and either all of it was seen and is shorter than
  LONGEST_MESSAGE, or its length is known and is not a whole number of sectors, as a disk's is.

Any NUL or control byte ends the certainty: a text at the start of a volume that is padded with
zeros is a raw disk. Raises NotADisk, UnsupportedFormat.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from cdi.images import errors
from cdi.images.formats import foreign, signatures
from cdi.images.formats.image import Image
from cdi.images.formats.quoting import quoted
from cdi.images.formats.window import Window

# Error messages and checksum lists are shorter, disks of nothing but text are longer.
LONGEST_MESSAGE = 64 << 10

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
         (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
_MARKUP = re.compile(
    r"(?:\s|<!--.*?(?:-->|$))*<(?:!doctype|\?xml|html|head|body|title|meta|script|svg|rss|Error\b)",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(r"\s*<(?:\?xml|Error\b|svg|rss)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def inspect(view: Window) -> Image:
    """Say how a raw disk lies there; raise for what is none."""
    if seen := looks_like(view.head, view.size):
        raise _refusal(view.head, seen)
    return _inspect_raw(view, view.trailer(signatures.TRAILER_SIZE))


def inspect_trailer(trailer: bytes, size: int) -> Image:
    """Do the check that `inspect` left of a raw stream: its last 512 bytes, its final length.

    What comes back is final: a raw disk, or a flat disk that is shorter than the stream.
    """
    return _inspect_raw(Window(b"", size, None), trailer)


def reread(read_back: Callable[[int, int], bytes], size: int) -> tuple[str, int]:
    """Return format and virtual size of what was taken for raw, now that all of it is written.

    Some disks tell only by their last sector that they are not raw.
    """
    length = min(signatures.TRAILER_SIZE, size)
    image = inspect_trailer(read_back(size - length, length), size)
    if image.format == "raw" or image.virtual_size is None:
        return "raw", size
    return image.format, image.virtual_size


def _refusal(head: bytes, seen: str) -> errors.TransferError:
    known = signatures.signature_of(head)
    if known is not None and known.kind is foreign.Kind.PACKED:
        return errors.UnsupportedFormat(
            f"the source is {known.name}, which is not unpacked here; unpack it first, or "
            "compress the disk with gzip, xz, zstd or bzip2"
        )
    return errors.NotADisk(
        f"the source is no disk image, it looks like {seen}; check the URL, and that it is a "
        "direct download link which needs no log-in"
    )


def _inspect_raw(view: Window, trailer: bytes | None) -> Image:
    if trailer is None:
        # A fixed VHD and an Apple disk image show only at their end.
        size = None if view.size is None else _in_sectors(view.size)
        return Image("raw", size, native=True, flat=True, checks_left=("trailer",))
    if signatures.is_dmg_trailer(trailer):
        raise errors.UnsupportedFormat(
            "the source is an Apple disk image (dmg), which is not read here; convert it to raw"
        )
    if _is_vhd_footer(trailer):
        from cdi.images.formats import vhd

        return vhd.inspect_fixed(view, trailer)
    return Image("raw", _in_sectors(view.length), native=True, flat=True)


def _in_sectors(size: int) -> int:
    return -(-size // signatures.SECTOR) * signatures.SECTOR


def _is_vhd_footer(trailer: bytes) -> bool:
    if not trailer.startswith(signatures.VHD_COOKIE):
        return False
    from cdi.images.formats import vhd

    return vhd.is_footer(trailer)


def looks_like(head: bytes, size: int | None = None) -> str | None:
    """Say what the head looks like if it is no disk for certain, in words for an error message.

    `size` is the length of the whole if known. None where it may be a disk. Disks of formats
    that are not read here have a signature.
    """
    if not head:
        return "nothing at all: it is empty"
    if signatures.structure_of(head):
        return None
    known = signatures.signature_of(head)
    if known is not None and known.kind is not foreign.Kind.DISK:
        return known.name
    text = _text_like(head, size)
    if text is not None:
        return f"{text}, starting with {quoted(_plain(head))}"
    if (len(head) if size is None else size) < signatures.SECTOR:
        return f"{len(head)} bytes, less than one sector"
    return None


def _text_like(head: bytes, size: int | None) -> str | None:
    beginning = _decoded(head[: signatures.SECTOR])
    if beginning is not None and _MARKUP.match(beginning):
        return "an XML document" if _XML.match(beginning) else "a web page"
    if beginning is None or (text := _decoded(head)) is None:
        return None
    if text.lstrip().startswith(("{", "[")):
        return "a JSON document"
    complete = size is not None and size <= len(head)
    short = complete and len(head) <= LONGEST_MESSAGE
    ragged = size is not None and size % signatures.SECTOR != 0
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
    return (_decoded(head[: signatures.SECTOR]) or "").lstrip("\ufeff").encode()
