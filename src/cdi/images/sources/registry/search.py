"""
Where in an image the disk is: the one regular file in `/disk`.

Layers are looked through from the top, as a container would see them: what an upper layer holds
or hides counts, and a layer that is not needed is not fetched. The first layer that has a file
there decides. Links are followed within the image, `/disk` itself included, as are those that lead
to another layer; links of other directories are not.

Raises NotADisk where there is none, UnsupportedFormat where there are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.formats.tar import Entry, Kind
from cdi.images.layout import Part
from cdi.images.sources.registry.layers import Layer, Path, Sought, path_of

DIRECTORY: Path = ("disk",)

_MOST_LINKS = 8
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A file in a layer."""

    layer: Layer
    entry: Entry

    @property
    def part(self) -> Part:
        entry = self.entry
        return Part(entry.start, entry.stored, entry.size, entry.extents)


def find_disk(layers: Sequence[Layer]) -> Place:
    """Return the disk in an image of these layers, the lowest one first."""
    return _Search(tuple(reversed(layers))).find(Sought(DIRECTORY, within=True), 0)


class _Search:
    """Layers from the top, and how many links have been followed so far."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._links = 0

    def find(self, sought: Sought, first: int) -> Place:
        """Find a file in layer `first` or one beneath it."""
        hidden: set[str] = set()
        for number in range(first, len(self._layers)):
            layer = self._layers[number]
            found = layer.look(sought)
            if found.instead is not None and not found.files:
                return self._instead(sought, found.instead)
            files = {name: entry for name, entry in found.files.items() if name not in hidden}
            if files:
                return self._followed(sought, _only(sought, files), number)
            if found.opaque:
                break
            hidden |= found.hidden
        raise errors.NotADisk(
            f"the image has no file in {sought}: a disk is kept there, as the only file"
            if sought.within
            else f"the image's disk is a link to {sought}, which is not there"
        )

    def _instead(self, sought: Sought, entry: Entry) -> Place:
        """Look where a link leads that stands in the directory's place."""
        if entry.kind is not Kind.SYMLINK:
            raise errors.NotADisk(f"{sought} of the image is a {entry.kind}, not a directory")
        self._follow(sought)
        return self.find(Sought(_target(sought.path[:-1], entry.link), within=True), 0)

    def _followed(self, sought: Sought, entry: Entry, number: int) -> Place:
        if entry.kind is Kind.FILE:
            if not entry.size:
                raise errors.NotADisk(f"the file in {sought} of the image is empty (0 bytes)")
            return Place(self._layers[number], entry)
        self._follow(sought)
        if entry.kind is Kind.HARDLINK:
            # Its target may have been replaced above, but the link holds on to the old one.
            return self.find(Sought(_target((), entry.link), within=False), number)
        if entry.kind is Kind.SYMLINK:
            own = path_of(entry.name) or ()
            return self.find(Sought(_target(own[:-1], entry.link), within=False), 0)
        raise errors.NotADisk(f"{entry.name} of the image is a {entry.kind}, not a regular file")

    def _follow(self, sought: Sought) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise errors.UnsafeImage(f"links in the image lead from {sought} round in circles")


def _only(sought: Sought, files: dict[str, Entry]) -> Entry:
    if len(files) > 1:
        names = ", ".join(repr(name) for name in sorted(files)[:_SHOWN])
        more = "" if len(files) <= _SHOWN else f" and {len(files) - _SHOWN} more"
        raise errors.UnsupportedFormat(
            f"the image has {len(files)} files in {sought} ({names}{more}), and only one may be "
            "there: the disk"
        )
    return next(iter(files.values()))


def _target(directory: Path, link: str) -> Path:
    """Return where a link in a directory leads, at most up to the image's root."""
    path = [] if link.startswith("/") else list(directory)
    for part in link.split("/"):
        if part == "..":
            del path[-1:]
        elif part not in {"", "."}:
            path.append(part)
    return tuple(path)
