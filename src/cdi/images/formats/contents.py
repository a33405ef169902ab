"""
Which file of an archive is a disk, by its name and its first bytes.

A disk of a format with a mark is one under any name; a raw disk is one if it begins like a disk,
or if its name says so; what is compressed is one if the name inside of the compression says so.
Nothing else is: an archive of an operating system's files has no disk in it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from cdi.images.formats import inspect, signatures

# What `docker save` and OCI archives have at their top.
OF_CONTAINER_IMAGES: Final = frozenset({"manifest.json", "oci-layout", "index.json"})

_PACKED: Final = re.compile(r"\.(?:gz|xz|zst|bz2|lz4)\Z")
_DISKS: Final = frozenset(
    {".raw", ".img", ".iso", ".dd", ".qcow", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx", ".qed"}
)


def may_be_disk(name: str, head: bytes) -> bool:
    """Whether a file of this name that begins with `head` has to be taken for a disk."""
    if is_side_file(name):
        return False
    plain = PurePosixPath(_PACKED.sub("", name.lower()))
    if plain.suffix in _DISKS:
        return True
    return bool(inspect.claims_on(head)) or signatures.structure_of(head) is not None


def is_side_file(name: str) -> bool:
    """Whether a file is what macOS leaves beside another one of almost the same name."""
    return PurePosixPath(name).name.startswith("._")
