"""
A directory that is filled by untrusted hands: everything goes through descriptors of real
directories, one component after the other, and no link is ever followed.

Directories get their modes and times at the very end, since both stand in the way of filling
them. Not for several threads. Raises UnsafeImage, CorruptImage; OSError for what the file system
says, which the caller translates.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from cdi.images import errors
from cdi.images.archive import names
from cdi.images.archive.names import Path
from cdi.images.formats.tar import Entry

# What is remembered of directories until the end is bounded: tens of megabytes.
_MOST_DIRECTORIES = 100_000
_MOST_NAMES = 16 << 20  # bytes
_MOST_LINKED = 10_000  # files with other names since it was last noted how far it is

_BY_DEFAULT = 0o755  # of directories that the archive does not name
_WHILE_FILLED = 0o700
_FEW = 1000  # names looked at together
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Facts:
    """What is set on a directory in the end; `mtime` in nanoseconds, None: as it comes."""

    mode: int
    mtime: int | None = None


class Tree:
    """Files, directories and links beneath one directory. Use as a context manager."""

    def __init__(
        self,
        root: int,
        folders: Mapping[Path, Facts] = MappingProxyType({}),
        replacing: Callable[[], None] = lambda: None,
    ) -> None:
        """Fill the directory that the descriptor `root` is of; it stays the caller's.

        `folders` are those of an earlier run that is gone on with. `replacing` is called before
        what was done since `noted` could not be done once more: a file that has got another name
        since then loses its own.
        """
        self._root = root
        self._replacing = replacing
        self._linked: set[Path] = set()
        self._folders: dict[Path, Facts] = dict(folders)
        self._named = sum(len(part) for path in folders for part in path)
        self._last: tuple[Path, int] | None = None  # entries mostly follow their neighbours

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_last()

    def add_file(self, entry: Entry) -> int:
        """Make an empty file; return its descriptor, which is the caller's."""
        path, folder = self._place(entry)
        self._clear(folder, path, entry)
        return os.open(path[-1], _NEW_FILE, 0o600, dir_fd=folder)

    @property
    def folders(self) -> Mapping[Path, Facts]:
        """What will be set on directories in the end."""
        return self._folders

    def noted(self) -> None:
        """A later run would go on here."""
        self._linked.clear()

    def cannot_be_repeated(self) -> None:
        """From here on a later run could not go on where this one was last `noted`."""
        self._replacing()
        self._linked.clear()

    @property
    def bytes_of_names(self) -> int:
        """How much is remembered of directories."""
        return self._named

    def file_again(self, entry: Entry, length: int) -> int:
        """Open a file of which an earlier run has made the first `length` bytes, cut to those."""
        path, folder = self._place(entry)
        fd = os.open(path[-1], _OLD_FILE, dir_fd=folder)
        try:
            os.ftruncate(fd, length)
        except OSError:
            os.close(fd)
            raise
        return fd

    def add_folder(self, entry: Entry) -> None:
        """Make a directory, or take the one that is there."""
        path = names.path_of(entry.name, entry)
        if not path:
            return  # the directory itself is not the archive's to change
        folder = self._folder(path[:-1], entry)
        found = _kind_of(path[-1], folder)
        if found is None or not stat.S_ISDIR(found):
            self._clear(folder, path, entry)
            os.mkdir(path[-1], _WHILE_FILLED, dir_fd=folder)
        self._remember(path, Facts(entry.mode, entry.mtime))

    def add_symlink(self, entry: Entry, target: bytes) -> None:
        """Make a symbolic link. Raises UnsafeImage if it could lead outside."""
        path, folder = self._place(entry)
        names.insist_inside(target, path, entry)
        self._clear(folder, path, entry)
        os.symlink(target, path[-1], dir_fd=folder)
        os.utime(path[-1], ns=(entry.mtime, entry.mtime), dir_fd=folder, follow_symlinks=False)

    def add_hardlink(self, entry: Entry) -> None:
        """Give a file of the archive another name. Raises CorruptImage if there is no such file.

        A link to a symbolic link becomes one of its own, as it may lead elsewhere from here.
        """
        source = names.path_of(entry.link, entry)
        there = self._existing(source)
        try:
            kind = None if there is None else _kind_of(source[-1], there)
            if there is None or kind is None or not (stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
                raise errors.CorruptImage(
                    f"{names.shown(entry)} in the archive is to a file that the archive does not "
                    "hold before it"
                )
            if stat.S_ISLNK(kind):
                self.add_symlink(entry, os.readlink(source[-1], dir_fd=there))
                return
            path, folder = self._place(entry)
            if path == source:
                return
            self._clear(folder, path, entry)
            self._linked.add(source)
            if len(self._linked) > _MOST_LINKED:
                self.cannot_be_repeated()
            os.link(
                source[-1], path[-1], src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False
            )
        finally:
            if there is not None:
                os.close(there)

    def finish(self) -> None:
        """Give the directories their modes and times, those inside of others first."""
        self._forget_last()
        if any(facts.mode & stat.S_IRWXU != stat.S_IRWXU for facts in self._folders.values()):
            self.cannot_be_repeated()  # nothing could be put into those
        for path, facts in reversed(self._folders.items()):
            folder = self._existing((*path, b""))
            if folder is not None:
                try:
                    settle(folder, facts.mode, facts.mtime)
                finally:
                    os.close(folder)
        self._folders.clear()

    def _place(self, entry: Entry) -> tuple[Path, int]:
        """Return where an entry goes, and the directory to put it into."""
        path = names.path_of(entry.name, entry)
        if not path:
            raise errors.CorruptImage(f"{names.shown(entry)} in the archive has no name")
        return path, self._folder(path[:-1], entry)

    def _folder(self, path: Path, entry: Entry) -> int:
        """Return a descriptor of a directory, making what is missing; it stays the tree's."""
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        self._forget_last()
        folder = os.open(b".", _FOLDER, dir_fd=self._root)
        self._last = (path, folder)
        for depth, part in enumerate(path, 1):
            kind = _kind_of(part, folder)
            if kind is None:
                os.mkdir(part, _WHILE_FILLED, dir_fd=folder)
                self._remember(path[:depth], Facts(_BY_DEFAULT))
            elif stat.S_ISLNK(kind):
                raise errors.UnsafeImage(
                    f"{names.shown(entry)} in the archive lies behind a symbolic link of it"
                )
            elif not stat.S_ISDIR(kind):
                raise errors.CorruptImage(
                    f"{names.shown(entry)} in the archive lies in something that is no directory"
                )
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
            self._last = (path, folder)
        return folder

    def _existing(self, path: Path) -> int | None:
        """Return a new descriptor of the directory that `path` is in; None if there is none."""
        folder = os.open(b".", _FOLDER, dir_fd=self._root)
        for part in path[:-1]:
            kind = _kind_of(part, folder)
            inner = None
            if kind is not None and stat.S_ISDIR(kind):
                inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            if inner is None:
                return None
            folder = inner
        return folder

    def _clear(self, folder: int, path: Path, entry: Entry) -> None:
        """Make way for an entry: later ones win, but never over a directory that holds files."""
        kind = _kind_of(path[-1], folder)
        if kind is None:
            return
        if path in self._linked:
            self.cannot_be_repeated()
        if not stat.S_ISDIR(kind):
            os.unlink(path[-1], dir_fd=folder)
            return
        try:
            os.rmdir(path[-1], dir_fd=folder)
        except OSError as error:
            raise errors.CorruptImage(
                f"{names.shown(entry)} in the archive has the name of a directory with files in it"
            ) from error
        self._folders.pop(path, None)

    def _remember(self, path: Path, facts: Facts) -> None:
        if path not in self._folders:
            self._named += sum(map(len, path))
            if len(self._folders) >= _MOST_DIRECTORIES or self._named > _MOST_NAMES:
                raise errors.UnsafeImage(
                    "the archive has too many directories to be unpacked here "
                    f"(more than {_MOST_DIRECTORIES}, or with very long names); split it"
                )
        self._folders[path] = facts

    def _forget_last(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None


def settle(descriptor: int, mode: int, mtime: int | None) -> None:
    """Give a file or directory its mode and time."""
    os.fchmod(descriptor, mode)
    if mtime is not None:
        os.utime(descriptor, ns=(mtime, mtime))


def emptied(folder: int) -> Iterator[bytes]:
    """Yield names until a directory is empty; each must be gone before the next is asked for."""
    while batch := some_names(folder):
        yield from batch


def some_names(folder: int) -> list[bytes]:
    """Return a few of the names in a directory, as there may be a million; none if it is empty."""
    with os.scandir(folder) as found:
        return [os.fsencode(each.name) for each in islice(found, _FEW)]


def remove(name: bytes, folder: int) -> None:
    """Remove whatever has a name, with what is in it, however it is protected."""
    facts = stat_of(name, folder)
    if facts is None:
        return
    if not stat.S_ISDIR(facts.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    os.chmod(name, _WHILE_FILLED, dir_fd=folder)
    inner = os.open(name, _FOLDER, dir_fd=folder)
    try:
        for each in emptied(inner):
            remove(each, inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def stat_of(name: bytes, folder: int) -> os.stat_result | None:
    """Return what a directory knows of a name, None if nothing has it."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _kind_of(name: bytes, folder: int) -> int | None:
    facts = stat_of(name, folder)
    return None if facts is None else facts.st_mode
