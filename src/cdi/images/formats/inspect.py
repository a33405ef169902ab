"""
Look at an image before any tool does, and say what it is or why it is refused.

Everything here is our own reading of bytes; no other program runs. Only what a deep inspection of
a complete local copy returns may be handed to `qemu.convert`.

Decided here: which format claims the bytes, and that only one does. What each format allows is in
its own module, what none claims in `unclaimed`; how things begin is in `signatures`.
Raises NotADisk, UnsupportedFormat, UnsafeImage, CorruptImage or TruncatedSource.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdi.images import errors
from cdi.images.formats import foreign, signatures, window
from cdi.images.formats.image import Image
from cdi.images.layout import Reader

__all__ = ["HEAD", "Image", "claims_on", "inspect", "is_archive"]

HEAD: Final = 1 << 20  # bytes: one piece of a source, and enough for every header but VHDX's


def inspect(
    head: bytes, size: int | None, reader: Reader | None = None, *, deep: bool = False
) -> Image:
    """Check an image by its first min(HEAD, `size`) bytes, and by `reader` where there is one.

    `size` is the length of the whole image, None if unknown. A raw disk's virtual size is its
    length in whole sectors, as the last one is padded with zeros. `deep` leaves no check: all
    tables are read.
    """
    if size is None and len(head) < HEAD:
        size = len(head)
    return _inspect(window.Window(head, size, reader), deep=deep)


def _inspect(view: window.Window, *, deep: bool) -> Image:
    if is_archive(view.head):
        raise errors.NotADisk(
            "the source is a tar archive and no disk; for a volume with files say contentType: "
            "archive (--archive), or unpack the disk first"
        )
    claims = claims_on(view.head)
    if not claims:
        from cdi.images.formats import unclaimed

        return unclaimed.inspect(view)
    _refuse_polyglots(claims, view.head, view.trailer(signatures.TRAILER_SIZE) or b"")
    return _check(claims[0], view, deep=deep)


def _check(name: str, view: window.Window, *, deep: bool) -> Image:
    """Have a format's own module check the image. Only the one that is needed is loaded."""
    check: Callable[[window.Window, bool], Image]
    match name:
        case "qcow2":
            from cdi.images.formats.qcow2 import inspect as check
        case "QCOW":
            from cdi.images.formats.qcow import inspect as check
        case "VMDK":
            from cdi.images.formats.vmdk import inspect as check
        case "VMDK descriptor":
            from cdi.images.formats.vmdk import descriptor

            raise descriptor.refusal(view.head)
        case "VDI":
            from cdi.images.formats.vdi import inspect as check
        case "VHD":
            from cdi.images.formats.vhd import inspect as check
        case "VHDX":
            from cdi.images.formats.vhdx import inspect as check
        case "QED":
            from cdi.images.formats.qed import inspect as check
        case _:
            raise errors.UnsupportedFormat(
                f"the source is {name}, which is not read here; convert it first"
            )
    return check(view, deep)


def is_archive(head: bytes) -> bool:
    """Whether bytes begin with a tar, for certain."""
    if not signatures.may_be_tar(head):
        return False
    from cdi.images.formats import tar

    return tar.matches(head)


def claims_on(head: bytes) -> list[str]:
    """Return every format, read here or not, that would take these bytes for its own."""
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
