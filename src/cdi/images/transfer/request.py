"""What one transfer is told. Only values; sizes are in bytes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdi.images import errors
from cdi.images.layout import Part
from cdi.images.sources.source import Identity, Source
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer.journalfile import journal_path
from cdi.images.transfer.result import Result
from cdi.images.transfer.threads import START


@dataclass(frozen=True)
class TransferRequest:
    """One disk wanted at one place."""

    # Opens the source, whose waits end when the event is set; called again if it changed.
    source: Callable[[threading.Event], Source]
    target: Path  # a file to be, or a block device
    journal: Path | None = None  # default: beside the target
    scratch: Path | None = None  # where a temporary copy may lie; None: NeedsScratch instead
    size: int | None = None  # the disk's size in the end; None: as large as the image
    limit: int | None = None  # the largest image that is accepted; None: `size`
    checksum: tuple[str, str] | None = None  # algorithm and lower-case hex digits, of the source
    sha256: bool = False  # report the source's sha256
    preallocate: bool = False  # thin storage gives every block
    direct_io: bool = False  # leave next to nothing in the page cache
    connections: int = 16  # at most
    at_first: int = START  # as many to begin with
    as_is: bool = False  # decompress, but take the content as a raw disk whatever it looks like
    part: Part | None = None  # the disk is this file inside the content, not all of it
    by_copy: bool = False  # by way of a temporary copy, although one pass might do
    # Take the disk out of a virtual appliance (OVA). None: yes, unless `as_is`.
    appliance: bool | None = None
    disk: str | None = None  # the file's name there; None: there is only one
    # The target holds a complete disk already: write over it what the source says has changed.
    # Not atomic: a later run with the same request has to complete what one begins.
    update: bool = False
    # The source is a qcow2 image of changes, which has to name the disk of this name as its base.
    base: str | None = None
    # What names a device wherever it is attached. None: it is known here only, by its kernel name.
    device_name: str | None = None
    # Called with what will be answered, when the disk is durable and has not got its name yet.
    committing: Callable[[Result], None] | None = None

    @property
    def algorithm(self) -> str | None:
        """Which digest of the source is computed, if any."""
        if self.checksum is not None:
            return self.checksum[0]
        return "sha256" if self.sha256 else None

    @property
    def looks_inside(self) -> bool:
        """Whether a virtual appliance is opened, rather than taken for the disk."""
        wanted = not self.as_is if self.appliance is None else self.appliance
        return wanted and self.part is None

    @property
    def journal_file(self) -> Path:
        """Where the journal lies."""
        return self.journal or journal_path(self.target)

    def key(self, identity: Identity, tag: str) -> dict[str, Any]:
        """Return what tells this transfer onto the target of a `tag` from others, as JSON has it.

        An object of another version is another one: its transfer cannot be continued.
        """
        return {
            "source": dataclasses.asdict(identity),
            "target": tag,
            "size": self.size,
            "digest": self.algorithm,
            "checksum": None if self.checksum is None else self.checksum[1],
            "preallocate": self.preallocate,
            "as_is": self.as_is,
            "part": None if self.part is None else self.part.as_json(),
            "update": self.update,
        }

    def of(self, spec: SourceSpec) -> TransferRequest:
        """Return the same for the source in `spec`.

        Raises InvalidRequest where both name a digest of the source and they differ in kind:
        only one is computed.
        """
        checksum = self.checksum or spec.checksum
        if self.checksum and spec.checksum and self.checksum != spec.checksum:
            raise errors.InvalidRequest(
                "the source is verified by a digest of its own already; leave the checksum out"
            )
        return dataclasses.replace(
            self,
            source=spec.open,
            checksum=checksum,
            part=spec.part,
            disk=self.disk or spec.disk,
            as_is=spec.as_is,
            update=spec.update,
            base=spec.base,
        )
