"""
The volume that a worker was given: where its disk goes, how large it becomes, what lies beside it.

A volume is a file system, in which the disk is one file, or a device, which is the disk. `request`
says to `images` what is wanted there; `room` has the rules for sizes. Sizes are in bytes.

Raises InvalidRequest, TargetFailed.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from cdi.api.quantity import Quantity
from cdi.api.workersettings import WorkerSettings
from cdi.images import errors
from cdi.images import target as targets
from cdi.images.sources.source import Identity, Source
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import continuing, transfer
from cdi.images.transfer.journalfile import journal_path
from cdi.images.transfer.request import TransferRequest
from cdi.workers import room
from cdi.workers.contents import DISK
from cdi.workers.room import Room

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume, and what its claim wants of the disk in it."""

    settings: WorkerSettings
    image_size: Quantity | None = None  # what the claim asks for
    overhead: Decimal = Decimal(0)  # the share of it that a file system needs for itself
    preallocate: bool = False
    direct_io: bool = False
    claim: str = ""  # its UID, which names a device on every node; empty: nobody told

    @property
    def directory(self) -> Path:
        """The root of the file system, where the volume is one."""
        return self.settings.data_dir

    @property
    def device(self) -> Path | None:
        """The block volume, if that is what was given."""
        device = self.settings.block_device
        return device if device.exists() else None

    @property
    def disk(self) -> Path:
        """Where the disk is: the device, or a file."""
        return self.device or self.directory / DISK

    @property
    def journal(self) -> Path | None:
        """Where the journal lies, if not beside the disk: that of a device is with the pod."""
        device = self.device
        if device is None or device.parent != Path("/dev"):
            return None
        state = self.settings.state_dir
        # Without it a journal lives as long as the container.
        return (state if state.is_dir() else Path("/tmp")) / f"{device.name}.cdi-journal"  # noqa: S108

    def forget_journal(self) -> None:
        """Remove the journal of a disk that turned out to be complete."""
        (self.journal or journal_path(self.disk)).unlink(missing_ok=True)

    def sibling(self, name: str) -> Path:
        """Where a file of the worker lies whose name says what it is: where the journal does."""
        return (self.journal or self.disk).with_name(f"{self.disk.name}.{name}")

    @property
    def scratch(self) -> Path | None:
        """Where a temporary copy may lie: the scratch volume, if there is one."""
        directory = self.settings.scratch_dir
        return directory / "tmpimage" if directory.is_dir() else None

    @property
    def device_size(self) -> int | None:
        """How large the disk becomes, where that is a plain file in place of a device.

        Without root, one machine has such files: they keep their size.
        """
        device = self.device
        return None if device is None or targets.is_device(device) else device.stat().st_size

    def room(self, *, preallocated: bool = False) -> Room:
        """Return the room that the file system has for the disk."""
        own = room.leftovers(self.disk)
        requested = None if self.image_size is None else self.image_size.value()
        found = room.file_system_of(self.directory, own)
        return room.room_for(found, requested, self.overhead, preallocated=preallocated)

    def shortfall(self, given: Room) -> str:
        """Say, also in the log, that the volume is smaller than its claim; else nothing."""
        requested = None if self.image_size is None else self.image_size.value()
        said = room.shortfall(given, requested, self.overhead)
        if said:
            log.warning("the volume is smaller than its claim", extra={"cause": said})
        return said

    def request(
        self, spec: SourceSpec, connections: int, *, keep_size: bool = False
    ) -> TransferRequest:
        """Return what makes the disk of a source. A disk that is there makes way, if it is a file.

        `connections` is how many the source may be asked over, at most; `keep_size` leaves a file
        as large as its source.
        """
        wanted = self._wanted(spec, connections)
        if self.device is not None or spec.update:
            return wanted
        room.clear(self.disk)
        found = self.room()
        return replace(wanted, size=None if keep_size else found.size, limit=found.most)

    def has_notes_of(self, spec: SourceSpec, identity: Identity) -> bool:
        """Whether an unfinished transfer of this version of a source can be gone on with."""
        return continuing.earlier(self._wanted(spec, connections=1), identity) is not None

    def forget(self) -> None:
        """Remove what unfinished transfers have left that nobody goes on with."""
        transfer.forget(self._wanted(SourceSpec(open=_nothing), connections=1))

    def _wanted(self, spec: SourceSpec, connections: int) -> TransferRequest:
        return TransferRequest(
            source=spec.open,
            target=self.disk,
            journal=self.journal,
            scratch=self.scratch,
            size=self.device_size,
            preallocate=self.preallocate,
            direct_io=self.direct_io,
            connections=connections,
            device_name=self.claim or None,
        ).of(spec)


def _nothing(_halt: threading.Event) -> Source:
    raise errors.InvalidRequest("there is nothing to fetch")


def sync(path: Path) -> None:
    """Insist once more that the disk is on stable storage; clients look for the line."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    log.info("Successfully completed fsync(%s) syscall", path)
