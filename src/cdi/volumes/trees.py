"""
Copy a directory with all that is in it: files by `copying`, and what is known about them.

Owners, modes, times, extended attributes and hard links are kept; sockets belong to processes and
are left out. No link is followed, and nothing on another file system is touched. What cannot be
copied (devices, other file systems mounted inside) raises Unsupported. Everything that was copied
is synced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cdi.volumes import copying, errors

_DEEPEST: Final = 200  # directories in each other; each keeps two of them open
_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Usage:
    """What a tree takes: bytes that are allocated, and how many files and directories."""

    bytes: int = 0
    files: int = 0


def copy_tree(
    source: Path,
    target: Path,
    cancel: threading.Event | None = None,
    *,
    owners: bool = True,
    without: Collection[str] = (),
) -> None:
    """Copy a directory into one that exists, in which nothing of the same names is.

    `owners` says whether owners are kept, which root alone can do; `without` are names at the top
    that are left out.
    """
    with _opened(source) as old, _opened(target) as new:
        _Copy(os.fstat(old).st_dev, new, cancel, owners).folder(old, new, "", without)


def usage(directory: Path) -> Usage:
    """Measure a directory with all that is in it. What goes meanwhile does not count."""
    found, seen = Usage(), set()
    device = directory.lstat().st_dev
    for _, folders, files, opened in os.fwalk(directory):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(name, dir_fd=opened)
                if status.st_dev == device and status.st_ino not in seen:
                    if status.st_nlink > 1:
                        seen.add(status.st_ino)
                    found.bytes += status.st_blocks * 512
                    found.files += 1
        folders[:] = [name for name in folders if _is_on(device, name, opened)]
    return found


def _is_on(device: int, name: str, folder: int) -> bool:
    try:
        return os.lstat(name, dir_fd=folder).st_dev == device
    except FileNotFoundError:
        return False


@dataclass(slots=True)
class _Copy:
    device: int  # the one file system that is copied
    root: int  # of the copy
    cancel: threading.Event | None
    owners: bool = True
    links: dict[int, str] = field(default_factory=dict)  # by inode: where its first name is
    depth: int = 0

    def folder(self, old: int, new: int, path: str, without: Collection[str] = ()) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise errors.Unsupported(f"more than {_DEEPEST} directories in each other")
        for name in sorted(set(os.listdir(old)) - set(without)):
            if self.cancel is not None and self.cancel.is_set():
                raise errors.Cancelled("the copy was cancelled")
            self._entry(name, old, new, f"{path}/{name}" if path else name)
        if path or self.owners:  # the root of a volume belongs to whoever made the volume
            _keep(old, new, owners=self.owners)
        os.fsync(new)
        self.depth -= 1

    def _entry(self, name: str, old: int, new: int, path: str) -> None:
        status = os.lstat(name, dir_fd=old)
        if status.st_dev != self.device:
            raise errors.Unsupported(f"another file system is mounted at {path}")
        kind = stat.S_IFMT(status.st_mode)
        if first := self.links.get(status.st_ino):
            os.link(first, name, src_dir_fd=self.root, dst_dir_fd=new, follow_symlinks=False)
        elif kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=new)
            with _opened(name, old) as below, _opened(name, new) as made:
                self.folder(below, made, path)
        elif kind == stat.S_IFREG:
            self._file(name, old, new)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=old), name, dir_fd=new)
            self._own(name, status, new)
        elif kind == stat.S_IFIFO:
            os.mkfifo(name, stat.S_IMODE(status.st_mode), dir_fd=new)
            self._own(name, status, new)
        elif kind != stat.S_IFSOCK:
            raise errors.Unsupported(f"{path} is a device, which is not copied")
        if status.st_nlink > 1 and kind not in (stat.S_IFDIR, stat.S_IFSOCK):
            self.links.setdefault(status.st_ino, path)

    def _own(self, name: str, status: os.stat_result, new: int) -> None:
        if self.owners:
            os.chown(name, status.st_uid, status.st_gid, dir_fd=new, follow_symlinks=False)

    def _file(self, name: str, old: int, new: int) -> None:
        with _opened(name, old, _READ) as source, _opened(name, new, _WRITE) as target:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise errors.Changed(f"{name} was replaced while it was copied")
            copying.copy_file(source, target, self.cancel)
            _keep(source, target, owners=self.owners)
            os.fsync(target)


@contextlib.contextmanager
def _opened(
    name: str | Path, folder: int | None = None, flags: int = _OPEN_FOLDER
) -> Iterator[int]:
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _keep(source: int, target: int, *, owners: bool) -> None:
    """Have a copy look like the original."""
    status = os.fstat(source)
    if owners:
        os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            # Labels of security modules follow from where a file is.
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.ENODATA):
                raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
