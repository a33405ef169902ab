"""
A disk by way of a temporary copy, for formats that need random access or a tool.

The copy lies in the scratch space, and is removed once the disk is there, or can never be. Until
then it stays, with a note that says of what it is a copy. Raises TransferError.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.confined import qemu
from cdi.images.formats import inspect
from cdi.images.formats.image import Image
from cdi.images.sources.file import FileSource
from cdi.images.sources.source import Identity, Once, Source
from cdi.images.transfer import documents, journalfile
from cdi.images.transfer.attempt import Attempt, Work, forget, insist_fits
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result

log = logging.getLogger(__name__)

Run = Callable[[TransferRequest, Meter, threading.Event], Result]  # `transfer.run`


def from_copy(
    run: Run, request: TransferRequest, copied: Result, meter: Meter, cancel: threading.Event
) -> Result:
    """Make the disk from the complete copy, which `copied` tells about."""
    known: dict[str, Any] = {
        "compression": copied.compression,
        "fetched": copied.fetched,
        "digest": copied.digest,
        "resumed": copied.resumed,
    }
    asked = _answering(request, known)
    made = _from_copy(run, asked, copy_of(request).target, meter, cancel)
    return dataclasses.replace(made, **known, seconds=dict(meter.seconds))


def copy_of(request: TransferRequest) -> TransferRequest:
    """Return what is asked of a temporary copy: the source's content as it is, in the scratch.

    Raises NeedsScratch where there is none.
    """
    if request.scratch is None:
        raise errors.NeedsScratch("this disk is made from a temporary copy")
    return dataclasses.replace(
        request,
        target=request.scratch,
        journal=None,
        scratch=None,
        size=None,
        limit=None,
        preallocate=False,
        as_is=True,
        by_copy=False,
        appliance=request.looks_inside,
        update=False,
        base=None,
        committing=None,
    )


def taken(
    request: TransferRequest, first: Attempt, go: Callable[[Attempt], Result], need: Exception
) -> Result:
    """Take a copy with the source that is open, after the first attempt has found the `need`."""
    forget(request.target, request.journal_file)
    # Once halted, its readers are gone, and what they have read with them.
    if request.scratch is None or first.halt.is_set():
        raise need
    log.info("taking a temporary copy", extra={"cause": str(need)})
    made = go(Attempt(copy_of(request), first.source, first.meter, first.halt))
    note_complete(copy_of(request), first.source.identity, made)
    return made


def copy_for(
    request: TransferRequest, source: Source, need: errors.NeedsScratch
) -> TransferRequest:
    """Return the request for a copy, for which the source is opened anew."""
    if request.scratch is None:
        raise need
    if isinstance(source, Once):
        raise errors.UnsupportedFormat(
            f"{source.identity.location} can be read only once, and this image cannot be made "
            f"into a disk that way ({need}); save it to a file, and import that"
        ) from need
    return copy_of(request)


def note_complete(copy: TransferRequest, identity: Identity, made: Result) -> None:
    """Remember, durably, that the copy is complete: a run that is stopped need not fetch again."""
    if identity.version:
        told = {"key": _key_of_complete(copy, identity), "compression": made.compression}
        documents.save(
            journalfile.note_path(copy.target), told | {"digest": made.digest, "size": made.size}
        )


def found_complete(copy: TransferRequest, identity: Identity) -> Result | None:
    """Return how an earlier run made the copy, if it is there and still of this source."""
    told = documents.load(journalfile.note_path(copy.target)) if identity.version else None
    if told is None or told.get("key") != _key_of_complete(copy, identity):
        return None
    size, digest = told["size"], told["digest"]
    made = Result("raw", told["compression"], size, size, fetched=0, written=0, resumed=True)
    return dataclasses.replace(made, digest=tuple(digest) if digest else None)


def _from_copy(
    run: Run, request: TransferRequest, scratch: Path, meter: Meter, cancel: threading.Event
) -> Result:
    local = dataclasses.replace(
        request,
        source=lambda _: FileSource(scratch),
        scratch=None,
        by_copy=False,
        checksum=None,
        sha256=False,
        part=None,
    )
    if request.base is not None:
        return run(local, meter, cancel)
    image = inspect_file(scratch)
    if image.native:
        return run(dataclasses.replace(local, as_is=image.format == "raw"), meter, cancel)
    return _converted(local, image, scratch, meter, cancel)


def inspect_file(path: Path) -> Image:
    """Check a complete local file; no check is left."""
    with path.open("rb") as file:
        descriptor = file.fileno()

        def read(offset: int, length: int) -> bytes:
            raw = os.pread(descriptor, length, offset)
            if len(raw) < length:
                raise errors.TruncatedSource(f"{path.name} became shorter while it was read")
            return raw

        size = file.seek(0, os.SEEK_END)
        head = os.pread(descriptor, inspect.HEAD, 0)
        return inspect.inspect(head, size, read, deep=True)


def _converted(
    request: TransferRequest, image: Image, scratch: Path, meter: Meter, cancel: threading.Event
) -> Result:
    """Have qemu-img write the disk, after inspection has passed the complete copy."""
    if image.virtual_size is None:
        raise errors.CorruptImage(f"the {image.format} image does not tell its disk's size")
    insist_fits(request, image.virtual_size)
    meter.stage, meter.position, meter.total = "converting", 0, image.virtual_size
    size = image.virtual_size
    with Work(request, Identity(str(scratch)), size, None) as job:
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
        return job.commit(Result(image.format, None, size), meter, cancel)


def _answering(request: TransferRequest, known: dict[str, Any]) -> TransferRequest:
    """Return the request, whose `committing` is told what is `known` of the result as well."""
    told = request.committing
    if told is None:
        return request
    return dataclasses.replace(
        request, committing=lambda made: told(dataclasses.replace(made, **known))
    )


def _key_of_complete(request: TransferRequest, identity: Identity) -> dict[str, Any] | None:
    """Return what identifies the complete file that a request has made; None if there is none."""
    tag = targets.tag_of(request.target, complete=True)
    return None if tag is None else request.key(identity, tag)
