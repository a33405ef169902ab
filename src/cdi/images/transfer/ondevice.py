"""
The work on a block device: what an earlier attempt has left there, and notes on the device itself.

Elsewhere: what is common to files and devices (`work`), how notes lie there (`mirror`).
"""

from __future__ import annotations

from typing import Any

from cdi.images import target as targets
from cdi.images.sources.source import Identity
from cdi.images.transfer import mirror
from cdi.images.transfer.journalfile import Copy
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest


def noted(request: TransferRequest, identity: Identity) -> Progress | None:
    """Return what an earlier attempt has noted on the device, or None."""
    if not _may_mirror(request, identity):
        return None
    return mirror.load(request.target, _lasting_key(request, identity))


def opened(
    request: TransferRequest,
    identity: Identity,
    virtual_size: int | None,
    progress: Progress,
    *,
    resumed: bool,
) -> tuple[targets.BlockTarget, Copy | None]:
    """Open the device; return what copies durable records to it, None where that is not to be."""
    stale = not resumed and not request.update and mirror.last(request.target) > 0
    device = targets.BlockTarget(
        request.target,
        virtual_size,
        resume=resumed,
        zeroed=progress.zeroed,
        noted=progress.mirrored or stale,
        update=request.update,
        preallocate=request.preallocate,
        direct_io=request.direct_io,
    )
    progress.zeroed = device.zeroed
    device.already(progress.done)
    try:
        return device, _copy_of_notes(request, identity, device, virtual_size, progress, resumed)
    except OSError as error:
        device.close()
        raise targets.target_error(error, str(request.journal_file)) from error


def _copy_of_notes(
    request: TransferRequest,
    identity: Identity,
    device: targets.BlockTarget,
    virtual_size: int | None,
    progress: Progress,
    resumed: bool,
) -> Copy | None:
    """See to notes that do not hold; return what writes new ones."""
    # What is in the reserve of a disk that was begun without notes is the disk's.
    free = not resumed or progress.mirrored or device.leaves_room(virtual_size)
    mirrored = free and _may_mirror(request, identity)
    if not (mirrored and resumed):
        device.forget_notes()
    progress.mirrored = mirrored and device.hold_back()
    if not progress.mirrored:
        return None
    key = _lasting_key(request, identity)
    return mirror.Mirror(key, device.note, after=mirror.last(request.target)).write


def _may_mirror(request: TransferRequest, identity: Identity) -> bool:
    """Whether notes may lie on the target itself.

    Not in a complete disk that is to be updated, and not of a source that has no version: nobody
    could go on.
    """
    named = request.device_name is not None and bool(identity.version)
    return named and not request.update


def _lasting_key(request: TransferRequest, identity: Identity) -> dict[str, Any]:
    """Identify a transfer to a device wherever that is attached."""
    size = targets.device_size(request.target)
    return request.key(identity, f"{request.device_name} of {size} bytes")
