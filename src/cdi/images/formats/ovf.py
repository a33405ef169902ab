"""
The description of a virtual appliance (OVF): which of its files are disks.

Facts: DMTF DSP0243. Read with an event parser that refuses document types, so that no entity is
ever defined, let alone expanded or fetched; size, depth and counts are bounded. What an appliance
says of its machine (processors, networks) is ignored. Raises CorruptImage, UnsafeImage,
UnsupportedFormat.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from cdi.images import errors
from cdi.images.formats import quoting

LONGEST: Final = 1 << 20  # bytes of a description: honest ones have tens of kilobytes

_DEEPEST = 64
_MOST = 1000  # files and disks
_SEPARATOR = " "


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk that has content: the name of its file, relative to the description."""

    id: str
    file: str


def parse_disks(text: bytes) -> tuple[Disk, ...]:
    """Return the disks in the order of the description, empty ones left out."""
    if len(text) > LONGEST:
        raise errors.UnsafeImage(f"an OVF description of {len(text)} bytes is absurd")
    found = _Found()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = found.begin
    parser.EndElementHandler = found.end
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter: odd encodings
        raise errors.CorruptImage(
            f"the appliance's OVF description is no XML: {error}; check the file at the source"
        ) from error
    return found.disks()


class _Found:
    """What the parser has come across: the references, and the disks that use them."""

    def __init__(self) -> None:
        self._depth = 0
        self._files: dict[str, dict[str, str]] = {}
        self._disks: list[dict[str, str]] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST or len(self._files) + len(self._disks) > _MOST:
            raise errors.UnsafeImage("the appliance's OVF description is absurdly large or deep")
        plain = {_local(key): value for key, value in attributes.items()}
        match _local(name):
            case "File":
                self._files[plain.get("id", "")] = plain
            case "Disk" if "diskId" in plain:
                self._disks.append(plain)

    def end(self, _name: str) -> None:
        self._depth -= 1

    def disks(self) -> tuple[Disk, ...]:
        return tuple(
            Disk(disk["diskId"], self._file_of(disk)) for disk in self._disks if disk.get("fileRef")
        )

    def _file_of(self, disk: dict[str, str]) -> str:
        file = self._files.get(disk["fileRef"])
        shown = quoting.quoted(disk["diskId"].encode("utf-8", "replace"))
        if file is None or not file.get("href"):
            raise errors.CorruptImage(
                f"the appliance's disk {shown} names a file that is not listed"
            )
        if disk.get("parentRef"):
            raise errors.UnsupportedFormat(
                f"the appliance's disk {shown} builds on another one; export it whole"
            )
        if file.get("chunkSize"):
            raise errors.UnsupportedFormat(
                f"the appliance's disk {shown} is split into pieces; export it in one file"
            )
        name = urllib.parse.unquote(file["href"])
        if not _stays_inside(name):
            raise errors.UnsafeImage(
                f"the appliance's disk {shown} is outside of the appliance: "
                f"{quoting.quoted(file['href'].encode('utf-8', 'replace'))}"
            )
        return name.removeprefix("./")


def _stays_inside(name: str) -> bool:
    """Whether a file is beside its description, or further down."""
    parts = name.removeprefix("./").split("/")
    return "\\" not in name and "://" not in name and not {"", ".", ".."} & set(parts)


def _local(name: str) -> str:
    return name.rpartition(_SEPARATOR)[2]


def _refuse_doctype(*_: object) -> None:
    raise errors.UnsafeImage(
        "the appliance's OVF description declares a document type, which none needs; "
        "export the appliance again"
    )
