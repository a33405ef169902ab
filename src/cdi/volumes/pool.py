"""
The data of local volumes: one directory a volume, beneath one directory for all.

    <root>/<volume>/              a Filesystem volume: the directory is what a pod gets
    <root>/<volume>/disk.img      a Block volume: a sparse file of the volume's size; where we are
                                  root, pods get a loop device over it, else the file itself
    <root>/.new-<volume>/         a copy that is not whole yet, and no volume
    <root>/.erased-<volume>/      a volume that is half erased, and none any longer

The one step that makes or unmakes a volume is a rename, with its directory synced: whoever is
killed before or after it leaves a whole volume or none, and `tidy` removes the rest. Names from
callers never leave the root. A directory is held to its size where the file system has project
quotas (`quotas`); elsewhere whoever fills it keeps to what was requested. Every call may be
repeated. Blocking calls; sizes in bytes. Raises OSError, of which those of `errors` are some, and
ValueError for a name that no volume can have.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cdi.volumes import copying, errors, loops, quotas, trees
from cdi.volumes.devices import DEVICE, DISK, Devices
from cdi.volumes.trees import Usage

_DIRECTORY_MODE: Final = 0o770
_OPEN_MODE: Final = 0o777
_FILE_MODE: Final = 0o660
_NEW: Final = ".new-"
_ERASED: Final = ".erased-"
_LONGEST_NAME: Final = 255 - len(_ERASED)
_OPEN_DISK: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Cancel = threading.Event


class Mode(StrEnum):
    """What whoever uses a volume gets."""

    FILESYSTEM = "Filesystem"  # a directory
    BLOCK = "Block"  # a device


@dataclass(frozen=True, slots=True)
class Space:
    """The file system that a pool is on, in bytes and in files."""

    size: int
    free: int
    available: int  # of it, to whoever is not root
    files: int  # 0 where the file system makes as many as are wanted
    files_available: int


class Pool:
    """The volumes beneath one directory. `devices` says whether to use loop devices; `user`, by uid
    and gid, gets Block volumes where whoever fills them is not who we are (see `devices`); whether
    Filesystem volumes are `open_to_all` says whether any user may write to them. A pool with a
    `marker` is on a file system that somebody else mounts: it is there while that file is. One
    that `holds` keeps directories to their size where it can."""

    def __init__(
        self,
        root: Path,
        *,
        devices: bool | None = None,
        user: tuple[int, int] | None = None,
        open_to_all: bool = False,
        marker: str = "",
        holds: bool = False,
    ) -> None:
        self.root, self._user, self._open_to_all = root, user, open_to_all
        self._marker, self._holds = marker, holds
        usable = loops.usable() if devices is None else devices
        self._devices = Devices(user) if usable else None

    def ensure(self) -> None:
        """Make the pool's directory. Nothing else does: one that is gone is a disk that is."""
        if not self._marker:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Remove what calls have left that were cut short. Nobody else may use the pool now."""
        for prefix in (_NEW, _ERASED):
            for left in self._there().glob(f"{prefix}*"):
                shutil.rmtree(left)

    def volumes(self) -> list[str]:
        """Return the names of all volumes."""
        return sorted(
            path.name
            for path in self._there().iterdir()
            if not path.name.startswith(".") and _is_directory(path)
        )

    def directory(self, volume: str) -> Path:
        """Where a volume's data is, or would be."""
        good = volume and not volume.startswith(".") and "/" not in volume
        if not good or len(os.fsencode(volume)) > _LONGEST_NAME or not volume.isprintable():
            raise ValueError(f"{volume!r} cannot be the name of a volume")
        return self.root / volume

    def existing(self, volume: str) -> Path:
        """Where a volume's data is. Raises Missing."""
        directory = self.directory(volume)
        self._there()
        if not _is_directory(directory):
            raise errors.Missing(f"the data of volume {volume} is missing: {directory}")
        return directory

    # Making and unmaking.

    def make(self, volume: str, mode: Mode, size: int) -> Path:
        """Make an empty volume, or keep the one that exists; return its directory."""
        directory = self.directory(volume)
        if not _is_directory(directory):
            self._there()
            directory.mkdir(mode=_DIRECTORY_MODE)
        if mode == Mode.BLOCK:
            _extend(directory / DISK, size, os.O_CREAT)
        elif self._open_to_all:
            directory.chmod(_OPEN_MODE)
        self._hold(directory, held_to(mode, size))
        sync_directory(directory)
        sync_directory(self.root)
        return directory

    def grow(self, volume: str, mode: Mode, size: int) -> None:
        """Make a volume larger, also while it is in use; it never becomes smaller."""
        directory = self.existing(volume)
        if mode == Mode.BLOCK:
            _extend(directory / DISK, size)
            if _is_attached(directory):
                loops.refresh(directory / DISK)
        elif size > quotas.limit_of(directory) > 0:
            quotas.hold(directory, size)

    def _hold(self, directory: Path, size: int) -> None:
        """Hold a directory to a size, if its file system can and one is said.

        One that has files already would be held to only what is added.
        """
        if not size or not self._holds or not quotas.enforced(directory):
            return
        if quotas.limit_of(directory) or not any(directory.iterdir()):
            quotas.hold(directory, size)

    def is_held(self, volume: str) -> bool:
        """Whether the file system holds a volume to its size."""
        return quotas.limit_of(self.existing(volume)) > 0

    def clone(
        self, source: str, volume: str, mode: Mode, size: int, cancel: Cancel | None = None
    ) -> Path:
        """Make a volume with the content of another one, or keep the one that exists.

        Where the file system shares data it takes no time and is of one moment; else a Block
        volume that is written to meanwhile raises Changed. Raises TooSmall, Cancelled.
        """
        return self.fill(
            volume,
            lambda new: self.copy(self.existing(source), new, mode, size, cancel),
            held_to(mode, size),
        )

    def fill(self, volume: str, content: Callable[[Path], None], held: int = 0) -> Path:
        """Make a volume by having `content` fill its directory, wholly or not at all. It is held
        to that size, if one is said and the pool can."""
        directory = self.directory(volume)
        if _is_directory(directory):
            return directory
        new = self._there() / f"{_NEW}{volume}"
        if _is_directory(new):
            shutil.rmtree(new)
        new.mkdir(mode=_DIRECTORY_MODE)
        try:
            self._hold(new, held)
            content(new)
            sync_directory(new)
            new.rename(directory)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        sync_directory(self.root)
        return directory

    def copy(
        self, source: Path, target: Path, mode: Mode, size: int, cancel: Cancel | None = None
    ) -> None:
        """Copy a volume's content from one directory into another one, and make it that large."""
        if mode == Mode.FILESYSTEM:
            trees.copy_tree(source, target, cancel)
            return
        if _is_attached(source):
            loops.flush(source / DISK)
        disk = _open_disk(source / DISK, os.O_RDONLY)
        try:
            status = os.fstat(disk)
            if status.st_size > size:
                raise errors.TooSmall(
                    f"{size} bytes are too few for a disk of {status.st_size} bytes"
                )
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_DISK
            new = os.open(target / DISK, flags, _FILE_MODE)
            try:
                copying.copy_file(disk, new, cancel)
                os.fchown(new, status.st_uid, status.st_gid)
                os.ftruncate(new, size)
                os.fsync(new)
            finally:
                os.close(new)
        finally:
            os.close(disk)

    def erase(self, volume: str) -> None:
        """Remove a volume's data for good."""
        directory = self.directory(volume)
        doomed = self._there() / f"{_ERASED}{volume}"
        # Renamed first: a volume is never seen with half of its data.
        if _is_directory(directory):
            self.detach(volume)
            if quotas.limit_of(directory):
                quotas.let_go(directory)
            if doomed.exists():
                shutil.rmtree(doomed)
            directory.rename(doomed)
            sync_directory(self.root)
        if doomed.exists():
            shutil.rmtree(doomed)

    # Devices.

    def attach(self, volume: str) -> Path:
        """Return what a pod gets as its block device: a path in the volume's directory, so that
        a journal beside it stays with the volume."""
        directory = self.existing(volume)
        disk = directory / DISK
        if not disk.is_file() or disk.is_symlink():
            raise errors.Missing(f"the data of volume {volume} is missing: {disk}")
        if self._devices is not None:
            return self._devices.attach(directory)
        if self._user is not None:
            for path in (disk, directory):
                os.chown(path, *self._user, follow_symlinks=False)
        return disk

    def detach(self, volume: str) -> None:
        """No pod uses the block device any longer."""
        directory = self.directory(volume)
        if self._devices is not None and _is_directory(directory):
            self._devices.detach(directory)

    def device_of(self, volume: str) -> Path | None:
        """The device over a Block volume's disk, if it is attached."""
        found = loops.attached(self.existing(volume) / DISK) if self._devices is not None else []
        return found[0] if found else None

    def attached(self) -> list[str]:
        """Return the volumes whose block devices some pod has, or had when all was killed."""
        return sorted(link.parent.name for link in self.root.glob(f"[!.]*/{DEVICE}"))

    def reattach(self) -> None:
        """After a restart of the machine, attach what was attached before; safe at any time."""
        if self._devices is not None:
            for volume in self.attached():
                self._devices.restore(self.directory(volume))

    # Measuring.

    def usage(self, volume: str) -> Usage:
        """How much a volume takes now."""
        return trees.usage(self.existing(volume))

    def space(self) -> Space:
        """How much there is for all volumes together."""
        return _space(self._there())

    def space_of(self, volume: str) -> Space:
        """How much there is for one volume: what it is held to, if it is."""
        return _space(self.existing(volume))

    def _there(self) -> Path:
        if not self.root.is_dir():
            raise errors.PoolMissing(
                f"the directory of the volumes is gone: {self.root}; mount it, or make it"
            )
        if self._marker and not (self.root / self._marker).is_file():
            raise errors.PoolMissing(
                f"the file system of the volumes is not mounted at {self.root}: "
                f"it has no file {self._marker}"
            )
        return self.root


def held_to(mode: Mode, size: int) -> int:
    """What a volume's directory may take: a disk has its size anyway."""
    return size if mode == Mode.FILESYSTEM else 0


def _space(directory: Path) -> Space:
    found = os.statvfs(directory)
    return Space(
        size=found.f_blocks * found.f_frsize,
        free=found.f_bfree * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        files=found.f_files,
        files_available=found.f_favail,
    )


def _is_directory(path: Path) -> bool:
    """Whether there is a directory, and not just a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _is_attached(directory: Path) -> bool:
    """Whether a pod may have the volume as a device."""
    return os.path.lexists(directory / DEVICE)


def _open_disk(path: Path, flags: int) -> int:
    """Open a disk that is there. Raises Missing, also for what is no plain file."""
    try:
        fd = os.open(path, flags | _OPEN_DISK, _FILE_MODE)
    except FileNotFoundError:
        raise errors.Missing(f"the data of a volume is missing: {path}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise errors.Missing(f"{path} is no disk, but something else")
    return fd


def _extend(file: Path, size: int, flags: int = 0) -> None:
    fd = _open_disk(file, os.O_RDWR | flags)
    try:
        if os.fstat(fd).st_size < size:
            os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: what was created, renamed or removed there."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
