"""
One disk, from a source to a target: run it, finish, or say why not.

Here: starting anew when the source changed, the temporary copy for formats that need random
access or a tool, and what is left behind. Elsewhere: the way itself (`attempt`).

After a permanent failure nothing is left behind; after any other the partial disk and its journal
stay, and the next run with the same request continues.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from pathlib import Path

from cdi.images import errors
from cdi.images.formats import inspect
from cdi.images.formats.image import Image
from cdi.images.sources.file import FileSource
from cdi.images.sources.source import Identity
from cdi.images.transfer import attempt, work
from cdi.images.transfer.halt import Halt
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest

log = logging.getLogger(__name__)


def run(request: TransferRequest, meter: Meter, cancel: threading.Event) -> Result:
    """Carry out `request`. Raises TransferError; Cancelled soon after `cancel` is set."""
    try:
        return _run_once(request, meter, cancel)
    except errors.SourceChanged as error:
        log.warning("source changed, starting anew", extra={"cause": str(error)})
        forget(request)
        return _run_once(request, meter, cancel)


def forget(request: TransferRequest) -> None:
    """Remove what unfinished transfers of this request left, a temporary copy included."""
    work.forget(request)
    if request.scratch is not None:
        work.forget(dataclasses.replace(request, target=request.scratch, journal=None))
        request.scratch.unlink(missing_ok=True)


def _run_once(request: TransferRequest, meter: Meter, cancel: threading.Event) -> Result:
    if not request.target.parent.is_dir():
        raise errors.InvalidRequest(f"{request.target.parent}: no such directory")
    halt = Halt(cancel)
    source = request.source(halt)
    try:
        result = attempt.Attempt(request, source, meter, halt).run()
    except errors.NeedsScratch as need:
        work.forget(request)
        if request.scratch is None:
            raise
        source.close()
        log.info("taking a temporary copy", extra={"cause": str(need)})
        return _by_copy(request, request.scratch, meter, cancel)
    except errors.TransferError as error:
        if error.kind is errors.Kind.PERMANENT:
            forget(request)
        raise
    else:
        forget(request)
        return result
    finally:
        halt.set()
        source.close()


# A temporary copy, for what needs one.


def _by_copy(
    request: TransferRequest, scratch: Path, meter: Meter, cancel: threading.Event
) -> Result:
    """Take a temporary copy of the source's content, and make the disk from that."""
    copy = dataclasses.replace(
        request,
        target=scratch,
        journal=None,
        scratch=None,
        size=None,
        limit=None,
        preallocate=False,
        as_is=True,
        appliance=request.looks_inside,
        update=False,
        base=None,
    )
    copied = run(copy, meter, cancel)
    try:
        made = _from_copy(request, scratch, meter, cancel)
    finally:
        scratch.unlink(missing_ok=True)
    return dataclasses.replace(
        made,
        compression=copied.compression,
        fetched=copied.fetched,
        digest=copied.digest,
        resumed=copied.resumed,
        seconds=dict(meter.seconds),
    )


def _from_copy(
    request: TransferRequest, scratch: Path, meter: Meter, cancel: threading.Event
) -> Result:
    local = dataclasses.replace(
        request,
        source=lambda _: FileSource(scratch),
        scratch=None,
        checksum=None,
        sha256=False,
        part=None,
    )
    if request.base is not None:
        return run(local, meter, cancel)
    image = inspect.inspect_file(scratch)
    if image.native:
        return run(dataclasses.replace(local, as_is=image.format == "raw"), meter, cancel)
    return _converted(local, image, scratch, meter, cancel)


def _converted(
    request: TransferRequest, image: Image, scratch: Path, meter: Meter, cancel: threading.Event
) -> Result:
    """Have qemu-img write the disk, after inspection has passed the complete copy."""
    from cdi.images.confined import qemu  # few disks need a tool

    if image.virtual_size is None:
        raise errors.CorruptImage(f"the {image.format} image does not tell its disk's size")
    attempt.insist_fits(request, image.virtual_size)
    meter.stage, meter.position, meter.total = "converting", 0, image.virtual_size
    size = image.virtual_size
    with work.Work(request, Identity(str(scratch)), size, None) as job:
        job.target.written_by_others(size)
        job.target.written += qemu.convert(
            scratch,
            image.format,
            job.target.path,
            size,
            cancel=cancel,
            progress=lambda share: meter.reached(int(share * size)),
            preallocate=request.preallocate,
            cache_none=request.direct_io,
        )
        return attempt.finish(request, job, meter, image.format, size)
