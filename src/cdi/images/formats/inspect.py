"""
Look at an image before any tool does, and say what it is or why it is refused.

Everything here is our own reading of bytes; no other program runs. `inspect` sees the head of an
image, and more of it where the source can be read at random. `inspect_file` sees a complete
local copy and checks all of its tables: only what it returns may be handed to `qemu.convert`.

What is decided here: which format claims the bytes, and that only one does. What each format
allows is in its own module, what none claims in `unclaimed`; how things begin is in `signatures`.
Raises NotADisk, UnsupportedFormat, UnsafeImage, CorruptImage or TruncatedSource.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cdi.images import errors
from cdi.images.formats import foreign, signatures, window
from cdi.images.formats.image import Image
from cdi.images.layout import Reader

__all__ = ["HEAD", "Image", "has_signature", "inspect", "inspect_file"]

HEAD: Final = 1 << 20  # bytes: one piece of a source, and enough for every header but VHDX's


def inspect(head: bytes, size: int | None, reader: Reader | None = None) -> Image:
    """Check an image by its first min(HEAD, `size`) bytes, and by `reader` where there is one.

    `size` is the length of the whole image, None if unknown. A raw disk's virtual size is its
    length in whole sectors, as the last one is padded with zeros.
    """
    if size is None and len(head) < HEAD:
        size = len(head)
    return _inspect(window.Window(head, size, reader), deep=False)


def has_signature(head: bytes) -> bool:
    """Whether bytes begin like a disk of some format, read here or not."""
    return bool(_claims(head))


def inspect_file(path: Path) -> Image:
    """Check a complete local file; no check is left."""
    with path.open("rb") as file:
        descriptor = file.fileno()

        def read(offset: int, length: int) -> bytes:
            raw = os.pread(descriptor, length, offset)
            if len(raw) < length:
                raise errors.TruncatedSource(f"{path.name} became shorter while it was read")
            return raw

        size = file.seek(0, os.SEEK_END)
        return _inspect(window.Window(os.pread(descriptor, HEAD, 0), size, read), deep=True)


def _inspect(view: window.Window, *, deep: bool) -> Image:
    if signatures.may_be_tar(view.head) and _is_tar(view.head):
        raise errors.NotADisk(
            "the source is a tar archive and no disk; for a volume with files say contentType: "
            "archive (--archive), or unpack the disk first"
        )
    claims = _claims(view.head)
    if not claims:
        from cdi.images.formats import unclaimed

        return unclaimed.inspect(view)
    _refuse_polyglots(claims, view.head, view.trailer(signatures.TRAILER_SIZE) or b"")
    return _check(claims[0], view, deep=deep)


def _check(name: str, view: window.Window, *, deep: bool) -> Image:
    """Have a format's own module check the image. Only the one that is needed is loaded."""
    match name:
        case "qcow2":
            from cdi.images.formats import qcow2

            return qcow2.inspect(view, deep)
        case "QCOW":
            from cdi.images.formats import qcow

            return qcow.inspect(view, deep)
        case "VMDK":
            from cdi.images.formats import vmdk

            return vmdk.inspect(view, deep)
        case "VMDK descriptor":
            from cdi.images.formats.vmdk import descriptor

            raise descriptor.refusal(view.head)
        case "VDI":
            from cdi.images.formats import vdi

            return vdi.inspect(view, deep)
        case "VHD":
            from cdi.images.formats import vhd

            return vhd.inspect(view, deep)
        case "VHDX":
            from cdi.images.formats import vhdx

            return vhdx.inspect(view, deep)
        case "QED":
            from cdi.images.formats import qed

            return qed.inspect(view, deep)
    raise errors.UnsupportedFormat(
        f"the source is {name}, which is not read here; convert it first"
    )


def _is_tar(head: bytes) -> bool:
    from cdi.images.formats import tar

    return tar.matches(head)


def _claims(head: bytes) -> list[str]:
    """Return every format that would take these bytes for its own."""
    found = signatures.formats_of(head)
    known = signatures.signature_of(head)
    if known is not None and known.kind is foreign.Kind.DISK:
        found.append(known.name)
    return found


def _refuse_polyglots(claims: list[str], head: bytes, trailer: bytes) -> None:
    """Refuse bytes that two readers could take for two different disks."""
    names = list(claims)
    if other := signatures.structure_of(head[: _own_part(head)]):
        names.append(f"a raw disk with {other}")
    if trailer.startswith(signatures.VHD_COOKIE) and "VHD" not in names:
        from cdi.images.formats import vhd

        if vhd.is_footer(trailer):
            names.append("a fixed VHD")
    if signatures.is_dmg_trailer(trailer):
        names.append("an Apple disk image")
    if len(names) > 1:
        raise errors.UnsafeImage(
            f"the image is {' and '.join(names)} at the same time, so that readers could "
            "disagree on what the disk is; convert it to one format first"
        )


def _own_part(head: bytes) -> int:
    """How much of the head is the format's own for certain, and not the guest's data.

    A qcow2 of small clusters may happen to hold an ISO file right where ISO 9660 starts.
    """
    found = signatures.formats_of(head)
    if "qcow2" in found:
        return 1 << min(int.from_bytes(head[20:24], "big"), 20)
    return 1 << min(head[32], 20) if "QCOW" in found else len(head)
