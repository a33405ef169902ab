"""
Whether an earlier attempt at a transfer can be continued.

It can if it was of the same object at the source, the same wishes, the same partial file, and if
the bytes that it has noted are still there. An object that has no version (no ETag, no date) is
never continued, since nobody could tell whether it is still the same.
"""

from __future__ import annotations

import logging

from cdi.images import target as targets
from cdi.images.sources.source import Identity
from cdi.images.transfer import ondevice, resuming
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest

log = logging.getLogger(__name__)


def earlier(request: TransferRequest, identity: Identity) -> Progress | None:
    """Return what an earlier attempt at the same request has noted, or None."""
    tag = targets.tag_of(request.target, complete=request.update)
    if tag is None or not identity.version:
        return None
    found = resuming.load(request.journal_file, request.key(identity, tag))
    if found is None and targets.is_device(request.target):
        found = ondevice.noted(request, identity)
    if found is None:
        return None
    written = targets.path_of_work(request.target, complete=request.update)
    if not targets.still_holds(written, found.samples):
        log.warning("the target does not hold what its journal says, starting anew")
        return None
    return found
