"""
From the entries of an archive to files, directories and links in a tree.

Here: what becomes of each kind of entry, and whether it fits. How a name is followed and a link
judged is in `tree` and `names`. Raises UnsafeImage, UnsupportedFormat, CorruptImage, TooSmall,
Cancelled; NoSpace and TargetFailed for what the file system says.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.archive import names, tree
from cdi.images.archive.files import Files
from cdi.images.archive.partial import HIDDEN
from cdi.images.formats import tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.target import target_error

_REFUSED = {Kind.CHARACTER, Kind.BLOCK, Kind.FIFO}


class Unpacking:
    """One archive on its way into one directory."""

    def __init__(self, directory: int, limit: int | None, halt: threading.Event) -> None:
        """Unpack into the empty directory that the descriptor is of, at most `limit` bytes."""
        self._directory, self._halt = directory, halt
        self._files = Files()
        self._limit = limit
        self._free = _free(directory)
        self.entries = 0
        self.size = 0  # of all files together, holes included

    @property
    def written(self) -> int:
        """Bytes handed to the kernel."""
        return self._files.written

    def run(self, walker: tar.Walker) -> None:
        """Unpack everything, and read what follows the archive."""
        with tree.Tree(self._directory) as place:
            for entry in walker:
                self._insist_going_on()
                self.entries += 1
                try:
                    self._add(entry, walker, place)
                except OSError as error:
                    raise target_error(error, names.shown(entry)) from error
            try:
                place.finish()
            except OSError as error:
                raise target_error(error, "a directory of the archive") from error
        walker.drain()

    def _add(self, entry: Entry, walker: tar.Walker, place: tree.Tree) -> None:
        if names.path_of(entry.name, entry)[:1] == (os.fsencode(HIDDEN),):
            raise errors.UnsafeImage(
                f"{names.shown(entry)} in the archive has the name of the directory in which it "
                "is unpacked; leave it out of the archive"
            )
        match entry.kind:
            case Kind.FILE:
                self._add_file(entry, walker, place)
            case Kind.DIRECTORY:
                place.add_folder(entry)
            case Kind.SYMLINK:
                place.add_symlink(entry, names.raw(entry.link))
            case Kind.HARDLINK:
                place.add_hardlink(entry)
            case kind if kind in _REFUSED:
                raise errors.UnsafeImage(
                    f"{names.shown(entry)} in the archive is nothing for a volume; leave it out"
                )
            case _:
                raise errors.UnsupportedFormat(
                    f"{names.shown(entry)} in the archive is not understood; leave it out"
                )

    def _add_file(self, entry: Entry, walker: tar.Walker, place: tree.Tree) -> None:
        self._insist_fits(entry)
        fd = place.add_file(entry)
        try:
            self._files.fill(fd, entry.size, self._while_going_on(walker.placed()))
            tree.settle(fd, self._files.mode(entry.mode), entry.mtime)
        finally:
            os.close(fd)
        self.size += entry.size

    def _insist_fits(self, entry: Entry) -> None:
        """Refuse a file that cannot fit before any of it is written."""
        if entry.stored > self._free - self.written:
            # Others may have made room, or taken it.
            self._free = self.written + _free(self._directory)
        room = self._free if self._limit is None else min(self._free, self._limit)
        if self.written + entry.stored > room:
            raise errors.TooSmall(self.written + entry.stored, room)

    def _while_going_on(self, placed: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for each in placed:
            self._insist_going_on()
            yield each

    def _insist_going_on(self) -> None:
        if self._halt.is_set():
            raise errors.Cancelled("stopped while an archive was unpacked")


def _free(directory: int) -> int:
    found = os.fstatvfs(directory)
    return found.f_bavail * found.f_frsize
