"""
A transfer from a sender, after which the disk is what its source is, digest by digest.

What was read is compared as it comes (`NbdSource`). What an earlier attempt has brought, of which
only a journal tells, is read back and compared before the disk is committed; if it is another
than its source's, all of it is fetched anew. Raises TransferError.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.sources.nbd.source import NbdSource
from cdi.images.sources.source import Source
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from cdi.workers.ranged.digests import Digest

log = logging.getLogger(__name__)

_AT_ONCE: Final = 1 << 20  # bytes in one digest, as long as a request may be


def run(request: TransferRequest, digest: Digest, meter: Meter, cancel: threading.Event) -> Result:
    """Carry out a request whose source is an NbdSource with this digest."""
    opened: list[NbdSource] = []

    def source(halt: threading.Event) -> Source:
        found = request.source(halt)
        if isinstance(found, NbdSource):
            opened.append(found)
        return found

    def committing(made: Result) -> None:
        _compare_rest(opened[-1], digest, targets.path_of_work(request.target), cancel)
        if request.committing is not None:
            request.committing(made)

    return transfer.run(replace(request, source=source, committing=committing), meter, cancel)


def _compare_rest(source: NbdSource, digest: Digest, path: Path, cancel: threading.Event) -> None:
    compared = 0
    with path.open("rb", buffering=0) as disk:
        for start, end in _pieces(source.not_compared()):
            if cancel.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
            if source.digest(start, end) != digest(os.pread(disk.fileno(), end - start, start)):
                raise errors.SourceChanged(
                    f"the disk has other bytes from {start} to {end} than its source"
                )
            compared += end - start
    log.info("compared with the source", extra={"bytes_of_before": compared})


def _pieces(ranges: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in ranges:
        for at in range(start, end, _AT_ONCE):
            yield at, min(at + _AT_ONCE, end)
