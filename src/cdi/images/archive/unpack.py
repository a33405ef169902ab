"""
From the entries of an archive to files, directories and links in a tree.

Here: what becomes of each kind of entry, and whether it fits. How a name is followed and a link
judged is in `tree` and `names`. Raises UnsafeImage, UnsupportedFormat, CorruptImage, TooSmall,
Cancelled; NoSpace and TargetFailed for what the file system says.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from cdi.images import errors
from cdi.images.archive import names, tree
from cdi.images.archive.files import Files
from cdi.images.archive.partial import HIDDEN
from cdi.images.formats import tar
from cdi.images.formats.tar import Entry, Kind
from cdi.images.target import target_error

Placed: TypeAlias = Iterator[tuple[int, bytes]]  # bytes of a file, and where they belong

_MOST_NAMES = 1 << 20  # bytes of names of directories, all of which are noted each time
_REFUSED = {Kind.CHARACTER, Kind.BLOCK, Kind.FIFO}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """How far an unpacking is."""

    standing: tar.Standing
    entries: int = 0
    size: int = 0  # of all files together, holes included
    written: int = 0
    folders: Mapping[names.Path, tree.Facts] = field(default_factory=dict)


class Notes(Protocol):
    """Who keeps how far an unpacking is. Raises OSError."""

    def are_due(self, position: int) -> bool:
        """Whether it is time to keep something, the archive having been read up to there."""

    def keep(self, unpacked: Unpacked) -> bool:
        """Keep that; False where a later run could not go on there."""

    def forget(self) -> None:
        """What was kept is no longer true."""


class Unpacking:
    """One archive on its way into one directory."""

    def __init__(
        self,
        directory: int,
        limit: int | None,
        halt: threading.Event,
        notes: Notes,
        begun: Unpacked | None = None,
    ) -> None:
        """Unpack into the empty directory that the descriptor is of, at most `limit` bytes.

        With `begun` it is one in which an earlier run has done that much.
        """
        self._directory, self._halt, self._notes = directory, halt, notes
        self._files = Files(begun.written if begun else 0)
        self._limit = limit
        self._free = self.written + _free(directory)
        self._folders = begun.folders if begun else {}
        self._unfinished = begun.standing.entry if begun else None
        self.entries = begun.entries if begun else 0
        self.size = begun.size if begun else 0  # of all files together, holes included

    @property
    def written(self) -> int:
        """Bytes handed to the kernel."""
        return self._files.written

    def run(self, walker: tar.Walker) -> None:
        """Unpack everything, and read what follows the archive."""
        with tree.Tree(self._directory, self._folders, self._notes.forget) as place:
            if self._unfinished is not None:
                with _told(self._unfinished):
                    self._finish_file(self._unfinished, walker, place)
            for entry in walker:
                self._insist_going_on()
                self.entries += 1
                with _told(entry):
                    self._add(entry, walker, place)
                    self._note(walker, place, within=False)
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
        self._fill(place.add_file(entry), entry, walker, place, walker.placed())

    def _finish_file(self, entry: Entry, walker: tar.Walker, place: tree.Tree) -> None:
        """Go on with a file that an earlier run has begun."""
        done = walker.position - entry.start
        fd = place.file_again(entry, done)
        self._fill(fd, entry, walker, place, _from(done, walker.data()))

    def _fill(
        self, fd: int, entry: Entry, walker: tar.Walker, place: tree.Tree, placed: Placed
    ) -> None:
        try:
            self._files.fill(fd, entry.size, self._while_going_on(placed, entry, walker, place))
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

    def _while_going_on(
        self, placed: Placed, entry: Entry, walker: tar.Walker, place: tree.Tree
    ) -> Placed:
        for each in placed:
            self._insist_going_on()
            yield each
            if entry.extents is None:  # it has been written now
                self._note(walker, place, within=True)

    def _note(self, walker: tar.Walker, place: tree.Tree, *, within: bool) -> None:
        """Keep how far it is, if it is time to, and not too much to keep."""
        if not self._notes.are_due(walker.position) or place.bytes_of_names > _MOST_NAMES:
            return
        standing = walker.standing(within=within)
        so_far = Unpacked(standing, self.entries, self.size, self.written, place.folders)
        if self._notes.keep(so_far):
            place.noted()

    def _insist_going_on(self) -> None:
        if self._halt.is_set():
            raise errors.Cancelled("stopped while an archive was unpacked")


@contextlib.contextmanager
def _told(entry: Entry) -> Iterator[None]:
    """Translate what the file system says of an entry."""
    try:
        yield
    except OSError as error:
        raise target_error(error, names.shown(entry)) from error


def _from(offset: int, pieces: Iterator[bytes]) -> Placed:
    for piece in pieces:
        yield offset, piece
        offset += len(piece)


def _free(directory: int) -> int:
    found = os.fstatvfs(directory)
    return found.f_bavail * found.f_frsize
