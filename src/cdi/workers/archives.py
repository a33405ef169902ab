"""
Volumes of content type archive: which orders make sense, and what is to be unpacked.

The volume's own size is the limit for the files, as for a disk; there is no disk image, no scratch
space and no preallocation. Raises InvalidRequest.
"""

from __future__ import annotations

from pathlib import Path

from cdi.api.workorder import BLANK, WorkOrder
from cdi.images import archive, errors
from cdi.images.sources.spec import SourceSpec
from cdi.workers.sources.limits import CONNECTIONS

NOTE = ".cdi-complete"  # in the volume, until it is told that its files are there
SOURCES = ("http", "s3", "gcs")  # whose objects are files of any kind


def insist_possible(order: WorkOrder, device: Path | None) -> None:
    """Refuse what no archive can come from or go to, before anything is touched."""
    if order.source == BLANK:
        raise errors.InvalidRequest("a blank volume is a disk: leave out contentType archive")
    if order.source not in SOURCES:
        raise errors.InvalidRequest(
            f"{order.source} sources hold disks, not archives; use one of {', '.join(SOURCES)}, "
            "or leave out contentType archive"
        )
    insist_unpackable(device)


def insist_unpackable(device: Path | None) -> None:
    """Refuse to unpack into a device."""
    if device is not None:
        raise errors.InvalidRequest(
            "an archive is unpacked into a file system, and this is a block volume; "
            "use volumeMode Filesystem"
        )


def unpack_request_for(
    order: WorkOrder, spec: SourceSpec, directory: Path
) -> archive.UnpackRequest:
    """Return what fills the volume at `directory`."""
    wanted = archive.UnpackRequest(
        source=spec.open,
        directory=directory,
        limit=None if order.image_size is None else order.image_size.value(),
        connections=CONNECTIONS,
    )
    return wanted.of(spec)
