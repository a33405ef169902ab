"""
How a worker ends: from a result or an error to a termination message and an exit status.

    ended                        status  message
    the disk is complete         0       `Import Complete`, and what is not as it was asked
    scratch space is needed      0 or 1  scratchSpaceRequired
    checksum mismatch            0 or 1  permanent, `checksum validation failed: ...`
    not found, denied, ...       1       permanent and mendable, a reason, `Unable to ...: ...`
    other permanent failure      1       permanent, a reason, `Unable to ...: ...`
    transient failure            1       a reason, `Unable to ...: ...`
    told to stop                 143     reason `Cancelled`

Every message is JSON and carries the words that clients know as its `message`. Permanent
failures end with 1 although nothing is won by another start: a controller that does not know the
key `permanent` takes every 0 for a filled volume, and would hand out an empty disk. It sees a
failed container instead, as it always did; ours reads the key and ends the import at once,
before the kubelet's back-off gets far. Of an importer every controller understands that it wants
scratch space, and that a checksum is another one: these two end with 0 (`recognised`), and no
kubelet starts it again. The same words of any other worker would be taken for success.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cdi.api import reasons
from cdi.api.termination import Termination, VDDKInfo
from cdi.images import errors

if TYPE_CHECKING:  # a sender has none, and it brings all that a transfer takes
    from cdi.images.transfer.result import Result

OK, FAILED, STOPPED = 0, 1, 128 + signal.SIGTERM
UNEXPECTED = "InternalError"  # a defect of ours
FILES = "tar"  # format of what is no disk

# Nobody connects to a registry before its image is processed, as clients know it.
_NEVER_CONNECTING = frozenset({"registry"})
CONNECTING = "Unable to connect to {source} data source: "
PROCESSING = "Unable to process data: "


class NotSupported(errors.InvalidRequest):
    """A kind of source or content that this importer does not know yet."""

    reason = "NotSupported"


def complete(
    result: Result | None,
    *,
    preallocated: bool,
    labels: Mapping[str, str] = MappingProxyType({}),
    vddk_info: VDDKInfo | None = None,
    but: str = "",
) -> Termination:
    """The disk is there; `result` says how it was made, unless there was nothing to transfer.

    `but` follows the words that clients know, where something is not as it was asked.
    """
    algorithm, digits = (result and result.digest) or ("", "")
    return Termination(
        message="; ".join(filter(None, (reasons.IMPORT_COMPLETE_MESSAGE, but))),
        preallocation_applied=preallocated,
        labels=labels,
        vddk_info=vddk_info,
        sha256=digits if algorithm == "sha256" else "",
        bytes_fetched=result.fetched if result else 0,
        bytes_written=result.written if result else 0,
        disk_size=result.size if result and result.format != FILES else None,
    )


def failed(error: BaseException, source: str, *, connecting: bool) -> Termination:
    """The disk is not there; `connecting` tells whether the source was never opened."""
    connecting = connecting and source not in _NEVER_CONNECTING
    prefix = CONNECTING.format(source=source or "unknown") if connecting else PROCESSING
    match error:
        case errors.Cancelled():
            return Termination(
                message="stopped; another start continues",
                reason=error.reason,
                exit_code=STOPPED,
            )
        case errors.NeedsScratch():
            return Termination(
                message=reasons.SCRATCH_REQUIRED_MESSAGE,
                reason=error.reason,
                scratch_space_required=True,
                exit_code=FAILED,
            )
        case errors.TransferError():
            return Termination(
                message=_line(prefix + str(error)),
                reason=error.reason,
                permanent=error.kind is errors.Kind.PERMANENT,
                mendable=error.kind is errors.Kind.PERMANENT and error.mendable,
                exit_code=FAILED,
            )
        case _:
            text = f"{PROCESSING}{type(error).__name__}: {error}"
            return Termination(message=_line(text), reason=UNEXPECTED, exit_code=FAILED)


def recognised(ended: Termination) -> Termination:
    """How an importer ends that failed: with 0 where every controller knows what that means."""
    checksum = errors.ChecksumMismatch.reason
    if ended.scratch_space_required or ended.reason == checksum:
        return replace(ended, exit_code=OK)
    return ended


def _line(text: str) -> str:
    return " ".join(text.split())
