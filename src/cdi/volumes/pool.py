"""
The data of local volumes: one directory a volume, named after its PersistentVolume.

    <root>/<volume>/            a Filesystem volume: the directory is what a pod gets
    <root>/<volume>/disk.img    a Block volume: a sparse file of the volume's size; where we are
                                root, pods get a loop device over it, else the file itself

A directory cannot be held to a size; whoever fills it keeps to what was requested. Every call
may be repeated. Blocking calls; sizes in bytes. Raises OSError.
"""

from __future__ import annotations

import os
import shutil
import stat
from enum import StrEnum
from pathlib import Path
from typing import Final

from cdi.volumes import loops

DISK: Final = "disk.img"
DEVICE: Final = "device"  # link to the loop device, while there is one
_DIRECTORY_MODE: Final = 0o770
_FILE_MODE: Final = 0o660
# Group members may add files, and remove only those that are theirs.
_SHARED_MODE: Final = stat.S_ISVTX | _DIRECTORY_MODE
# A directory under this name is half erased, and no volume.
_ERASED: Final = ".erased-"


class Mode(StrEnum):
    """What whoever uses a volume gets."""

    FILESYSTEM = "Filesystem"  # a directory
    BLOCK = "Block"  # a device


class Pool:
    """The volumes beneath one directory. `devices` says whether to use loop devices.

    `user`, by uid and gid, gets Block volumes where whoever fills them is not who we are. Over a
    loop device it may write, and keep files of its own beside the disk, but it cannot put anything
    in the disk's place: what root attaches is never a link of somebody else.
    """

    def __init__(
        self,
        root: Path,
        *,
        devices: bool | None = None,
        user: tuple[int, int] | None = None,
    ) -> None:
        self._root, self._user = root, user
        self._devices = loops.usable() if devices is None else devices

    def directory(self, volume: str) -> Path:
        """Where a volume's data is."""
        if not volume or volume.startswith(".") or "/" in volume:
            raise ValueError(f"{volume!r} cannot be the name of a volume")
        return self._root / volume

    def make(self, volume: str, mode: Mode, size: int) -> Path:
        """Make an empty volume, or keep the one that exists; return its directory."""
        place = self.directory(volume)
        place.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        if mode == Mode.BLOCK:
            _extend(place / DISK, size)
        sync_directory(place)
        sync_directory(self._root)
        return place

    def grow(self, volume: str, mode: Mode, size: int) -> None:
        """Make a volume larger, also while it is in use."""
        if mode == Mode.BLOCK:
            file = self.directory(volume) / DISK
            _extend(file, size)
            if self._devices:
                loops.refresh(file)

    def attach(self, volume: str) -> Path:
        """Return what a pod gets as its block device: a path in the volume's directory, so that
        a journal beside it stays with the volume."""
        file = self.directory(volume) / DISK
        if not file.exists():
            raise FileNotFoundError(f"the data of volume {volume} is missing: {file}")
        if not self._devices:
            self._give(file)
            return file
        if self._user is not None:
            os.chown(file.parent, 0, self._user[1])
            file.parent.chmod(_SHARED_MODE)
        return self._link(file.with_name(DEVICE), loops.attach(file))

    def _give(self, file: Path) -> None:
        if self._user is not None:
            for path in (file, file.parent):
                os.chown(path, *self._user, follow_symlinks=False)

    def _link(self, link: Path, device: Path) -> Path:
        link.unlink(missing_ok=True)
        if self._user is None:
            link.symlink_to(device)
        elif os.statvfs(link.parent).f_flag & os.ST_NODEV:
            os.chown(device, -1, self._user[1])
            link.symlink_to(device)
        else:
            # A node of our own: whoever looks after /dev may change his at any time.
            os.mknod(link, stat.S_IFBLK | _FILE_MODE, device.stat().st_rdev)
            link.chmod(_FILE_MODE)
            os.chown(link, -1, self._user[1])
        return link

    def detach(self, volume: str) -> None:
        """No pod uses the block device any longer."""
        file = self.directory(volume) / DISK
        if self._devices and file.exists():
            # Whoever has its number next is none of the group's business.
            for device in loops.attached(file):
                os.chown(device, -1, Path("/dev/loop-control").stat().st_gid)
            loops.detach(file)
            file.with_name(DEVICE).unlink(missing_ok=True)

    def attached(self) -> list[str]:
        """Return the volumes whose block devices some pod has, or had when all was killed."""
        return sorted(link.parent.name for link in self._root.glob(f"*/{DEVICE}"))

    def erase(self, volume: str) -> None:
        """Remove a volume's data for good."""
        self.detach(volume)
        place = self.directory(volume)
        doomed = self._root / f"{_ERASED}{volume}"
        # Renamed first: a volume is never seen with half of its data.
        if place.exists():
            if doomed.exists():
                shutil.rmtree(doomed)
            place.rename(doomed)
            sync_directory(self._root)
        if doomed.exists():
            shutil.rmtree(doomed)


def _extend(file: Path, size: int) -> None:
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
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
