"""
Of a disk only what matters, in parallel: where the source knows that, or holds changes only.
"""

from __future__ import annotations

from cdi.images import errors
from cdi.images.formats import extents
from cdi.images.formats.image import Ranged
from cdi.images.sources.source import Mapped
from cdi.images.transfer import parallel
from cdi.images.transfer.attempt import Attempt
from cdi.images.transfer.parallel import TABLE_READERS, UNIT_MOST
from cdi.images.transfer.result import Result


def run(attempt: Attempt) -> Result:
    """Transfer a raw disk by its extents, or what changed in it; or a qcow2 image of changes."""
    source, update = attempt.source, attempt.request.update
    if not isinstance(source, Mapped):
        return _changes(attempt, attempt.request.base)
    unit = min(attempt.bytes_at_once(), UNIT_MOST)
    layout = extents.RandomExtents(attempt.whole, source.extents, unit_bytes=unit, update=update)
    return parallel.at_random(attempt, "raw", layout)


def _changes(attempt: Attempt, base: str | None) -> Result:
    """Write the clusters of a qcow2 image over the disk that it builds on."""
    from cdi.images.formats import qcow2  # most come from a source that knows its extents

    if not attempt.source.ranged:
        raise errors.NeedsScratch("changes are read from a copy where ranges are not served")
    whole = attempt.whole
    head = b"".join(attempt.source.stream(0, min(qcow2.HEAD_BYTES, whole)))
    unit = min(attempt.bytes_at_once(), UNIT_MOST)
    source = Ranged(attempt.read, whole, unit, TABLE_READERS)
    header = qcow2.parse_header(head, whole, base=base)
    layout = qcow2.RandomQcow2(source, header, delta=True)
    return parallel.at_random(attempt, "qcow2", layout)
