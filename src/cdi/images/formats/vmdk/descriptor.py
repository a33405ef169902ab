"""
The text descriptor of a VMDK: which extents make up the disk, and which parent it builds on.

A descriptor is a file of its own, or lies inside of a sparse extent. On its own it always names
other files, and a reader follows those names: /etc/shadow as a "flat" extent ends up in the
disk. So a descriptor of its own is refused whatever it says, and an embedded one may only name
the one extent that it lies in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats import quoting

# access, sectors, type, then usually a quoted name; any line that begins like this is an extent
_EXTENT = re.compile(
    rb"^[ \t]*(?:RW|RDONLY|NOACCESS)[ \t]+(\d+)[ \t]+(\w+)(?:[ \t]+\"([^\"\r\n]*)\"?)?",
    re.IGNORECASE | re.MULTILINE,
)
_SETTING = re.compile(rb"^[ \t]*([\w.]+)[ \t]*=[ \t]*\"?([^\"\r\n]*)", re.MULTILINE)
_PARENT_HINT = b"parentfilenamehint"
_NO_PARENT = b"ffffffff"
_MOST_DIGITS = 19  # of a count of sectors: 64 bits
_WHOLE_DISKS = frozenset({b"monolithicsparse", b"streamoptimized"})


@dataclass(frozen=True, slots=True)
class Extent:
    sectors: int
    kind: bytes  # upper case: SPARSE, FLAT, VMFS, ...
    name: bytes


def refusal(head: bytes) -> errors.UnsafeImage:
    """Return the error for a descriptor that is a file of its own."""
    text = head[: 64 << 10]
    names = [extent for extent in _extents(text) if extent.name]
    named = f" ({quoting.quoted(names[0].name)})" if names else ""
    return errors.UnsafeImage(
        f"the file is a VMDK descriptor, which names its data in other files{named}; "
        "make one file of them first, for example with `qemu-img convert -O qcow2`"
    )


def part_of_a_disk() -> errors.UnsafeImage:
    """The error for one extent of a split disk: it has no description of its own."""
    return errors.UnsafeImage(
        "the VMDK is a part of a disk whose description is in another file; "
        "make one file of all parts first, for example with `qemu-img convert -O qcow2`"
    )


def check_embedded(text: bytes, capacity: int, grain: int) -> None:
    """Insist that an embedded descriptor describes just the extent of `capacity` sectors.

    Writers may round one of both sizes up to a grain.

    Raises UnsafeImage, UnsupportedFormat or CorruptImage.
    """
    settings = {key.lower(): value.strip().lower() for key, value in _SETTING.findall(text)}
    if not text.strip(b"\0 \r\n"):
        raise part_of_a_disk()
    if not settings:
        raise errors.CorruptImage("the VMDK's descriptor says nothing")
    kind = settings.get(b"createtype", b"")
    if kind not in _WHOLE_DISKS:
        raise errors.UnsafeImage(
            f"the VMDK is of type {quoting.quoted(kind)}, whose data is in other files; only "
            "monolithicSparse and streamOptimized hold a whole disk"
        )
    _check_extent(_extents(text), capacity, grain)


def refuse_parents(text: bytes) -> None:
    """Raise UnsafeImage where the text names a parent, in whatever spelling a reader finds."""
    lowered = text.lower()
    parents = (value.strip() for key, value in _SETTING.findall(lowered) if key == b"parentcid")
    if _PARENT_HINT in lowered or any(value != _NO_PARENT for value in parents):
        raise errors.UnsafeImage(
            "the VMDK is a snapshot that needs its parent; consolidate it into one file first"
        )


def _check_extent(extents: list[Extent], capacity: int, grain: int) -> None:
    if len(extents) != 1:
        raise errors.UnsafeImage(
            f"the VMDK has {len(extents)} extents; only a disk in a single file is read here"
        )
    (extent,) = extents
    if extent.kind != b"SPARSE":
        raise errors.UnsafeImage(
            f"the VMDK has a {quoting.quoted(extent.kind)} extent, whose data is in another file"
        )
    if b"/" in extent.name or b"\\" in extent.name or b":" in extent.name:
        raise errors.UnsafeImage(
            f"the VMDK's extent names another file: {quoting.quoted(extent.name)}"
        )
    if abs(extent.sectors - capacity) >= grain:
        raise errors.CorruptImage(
            f"the VMDK's descriptor tells {extent.sectors} sectors, its header {capacity}"
        )


def _extents(text: bytes) -> list[Extent]:
    return [
        Extent(_sectors(digits), kind.upper(), name) for digits, kind, name in _EXTENT.findall(text)
    ]


def _sectors(digits: bytes) -> int:
    if len(digits) > _MOST_DIGITS:
        raise errors.CorruptImage(
            f"the VMDK's descriptor tells a number of sectors that has {len(digits)} digits"
        )
    return int(digits)
