"""
The block devices of Block volumes: loop devices over their disks, and who may use them.

    <volume>/disk.img    the disk
    <volume>/device      where its device is, from attaching to detaching: also the record by which
                         it is attached again after a restart of the machine

`user`, by uid and gid, is whoever fills and uses the volumes where that is not who we are. It may
write to the device, and keep files of its own beside the disk, but it cannot put anything in the
disk's place: what root attaches is never a link of somebody else. Blocking calls. Raises OSError.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cdi.volumes import loops

DISK: Final = "disk.img"
DEVICE: Final = "device"
_NODE_MODE: Final = 0o660
# Group members may add files, and remove only those that are theirs.
_SHARED_MODE: Final = stat.S_ISVTX | 0o770
_CONTROL: Final = Path("/dev/loop-control")


class Devices:
    """The devices over the disks in volumes' directories."""

    def __init__(self, user: tuple[int, int] | None) -> None:
        self._user = user

    def attach(self, directory: Path) -> Path:
        """Return the path of the device over a volume's disk, made if there is none."""
        if self._user is not None:
            os.chown(directory, 0, self._user[1])
            directory.chmod(_SHARED_MODE)
        return self._note(directory / DEVICE, loops.attach(directory / DISK))

    def _note(self, link: Path, device: Path) -> Path:
        link.unlink(missing_ok=True)
        if self._user is None:
            link.symlink_to(device)
        elif os.statvfs(link.parent).f_flag & os.ST_NODEV:
            os.chown(device, -1, self._user[1])
            link.symlink_to(device)
        else:
            # A node of our own: whoever looks after /dev may change his at any time.
            os.mknod(link, stat.S_IFBLK | _NODE_MODE, device.stat().st_rdev)
            link.chmod(_NODE_MODE)
            os.chown(link, -1, self._user[1])
        return link

    def detach(self, directory: Path) -> None:
        """Take the device away; one that is still open goes when it is closed."""
        disk = directory / DISK
        if disk.exists():
            if self._user is not None and _CONTROL.exists():
                # Whoever has its number next is none of the group's business.
                for device in loops.attached(disk):
                    os.chown(device, -1, _CONTROL.stat().st_gid)
            loops.detach(disk)
        (directory / DEVICE).unlink(missing_ok=True)

    def restore(self, directory: Path) -> None:
        """After a restart of the machine: attach anew what was attached, if its disk is there.

        The number that is noted may be somebody else's device by now.
        """
        if (directory / DISK).exists():
            self.attach(directory)
        else:
            (directory / DEVICE).unlink(missing_ok=True)
