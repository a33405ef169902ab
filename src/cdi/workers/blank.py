"""
A disk of zeros, and nothing else.

On a file system it is a sparse file, or one whose blocks are all allocated. A block device is
discarded rather than trusted to be empty; preallocated, all of it is written. What takes long is
a transfer like any other: noted in a journal, and ended when it is told to. Sizes in bytes;
raises TargetError, InvalidRequest, Cancelled.
"""

from __future__ import annotations

from pathlib import Path

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.sources.blank import BlankSource
from cdi.images.transfer.request import TransferRequest


def make_file(path: Path, size: int | None) -> None:
    """Make the sparse disk `path`, durably."""
    checked = _checked(size)
    targets.remove_partial(path)
    with targets.FileTarget(path, checked) as disk:
        disk.finish(checked)


def request_for(
    path: Path,
    size: int | None,
    *,
    preallocate: bool,
    journal: Path | None = None,
    device_name: str | None = None,
) -> TransferRequest:
    """Return what makes a disk that has to be written: on a device, or of allocated blocks."""
    whole = targets.device_size(path) if targets.is_device(path) else _checked(size)
    return TransferRequest(
        source=lambda _: BlankSource(whole),
        target=path,
        journal=journal,
        size=whole,
        preallocate=preallocate,
        device_name=device_name,
    )


def _checked(size: int | None) -> int:
    if not size:
        raise errors.InvalidRequest("a blank disk needs a size; the claim requests none")
    return size
