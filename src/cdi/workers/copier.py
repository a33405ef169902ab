"""
The copier: `python -m cdi.workers.copier` copies one volume into another one, on one node.

The source is at the clone source's mount, or device; the target is where every worker has its
volume. A disk is shared with its source where the file system can do that, which takes no time;
else what has data is read and written in parallel, zeros left out, and another start goes on
where this one has come to. What else is in a file system comes along, with its modes and times.
Nothing of the source is changed. Sizes in bytes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from cdi.api import reasons
from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import CopyOrder
from cdi.images import errors
from cdi.images.sources.disk import DiskSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.volumes import copying, trees
from cdi.workers import report, starting, volume
from cdi.workers.attended import CLONED, Attended
from cdi.workers.contents import DISK, LOST_AND_FOUND

log = logging.getLogger(__name__)

READERS = 8  # at most: a disk that is faster with more has not been met


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    return starting.start(env, CopyOrder.from_env, _run)


def _run(order: CopyOrder, settings: WorkerSettings) -> int:
    work = Copy(order, settings).run
    return report.write(Attended(settings, order.owner_uid, CLONED, work).run(), settings)


class Copy:
    """One copy. `run` is all there is to do."""

    def __init__(self, order: CopyOrder, settings: WorkerSettings) -> None:
        self._order, self._settings = order, settings
        self._volume = volume.Volume(settings, preallocate=order.preallocation)

    def run(self, meter: Meter, cancel: threading.Event) -> Termination:
        """Fill the target, complete and durable. Raises TransferError."""
        device = self._settings.clone_source_device
        disk = device if device.exists() else self._settings.clone_source_dir / DISK
        written, is_disk = 0, disk == device or disk.is_file()
        if is_disk:
            written = self._disk(disk, meter, cancel)
        elif self._volume.device is not None:
            raise errors.NotADisk("the source has no disk.img, and a Block volume holds just that")
        if disk != device and self._volume.device is None:
            self._files(cancel)
        volume.sync(self._volume.device or self._volume.directory)
        return Termination(
            message=reasons.CLONE_COMPLETE_MESSAGE,
            preallocation_applied=self._order.preallocation,
            bytes_written=written,
            disk_size=self._size_of_disk() if is_disk else None,
        )

    def _size_of_disk(self) -> int:
        with self._volume.disk.open("rb") as disk:
            return disk.seek(0, os.SEEK_END)

    def _disk(self, disk: Path, meter: Meter, cancel: threading.Event) -> int:
        """Copy the disk; return how many bytes were written."""
        if not self._order.preallocation and self._shared(disk):
            log.info("the disk is shared with its source")
            return 0
        result = transfer.run(
            TransferRequest(
                source=lambda _: DiskSource(disk),
                target=self._volume.disk,
                journal=self._volume.journal,
                size=self._volume.device_size,
                preallocate=self._order.preallocation,
                connections=READERS,
                as_is=True,
                device_name=self._order.claim_uid or None,
            ),
            meter,
            cancel,
        )
        log.info("the disk is copied", extra={"written": result.written, "size": result.size})
        return result.written

    def _shared(self, disk: Path) -> bool:
        """Whether the target now has the source's disk without a byte copied."""
        target = self._volume.disk
        if self._volume.device is not None or disk == self._settings.clone_source_device:
            return False
        partial = target.with_name(f".{target.name}.cdi-shared")
        with disk.open("rb") as source, partial.open("wb") as new:
            shared = copying.share(source.fileno(), new.fileno())
            if shared:
                os.fchmod(new.fileno(), os.fstat(source.fileno()).st_mode & 0o777)
                os.fsync(new.fileno())
        if not shared:
            partial.unlink()
            return False
        partial.replace(target)
        return True

    def _files(self, cancel: threading.Event) -> None:
        """Copy what else there is; of an earlier start's files nothing is believed."""
        # One machine has links where a pod has mounts.
        source = self._settings.clone_source_dir.resolve()
        target = self._volume.directory.resolve()
        kept = {DISK, LOST_AND_FOUND}
        for left in target.iterdir():
            if left.name not in kept:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        trees.copy_tree(source, target, cancel, owners=False, without=kept)


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck on a disk must not hold up the end.
    os._exit(status)
