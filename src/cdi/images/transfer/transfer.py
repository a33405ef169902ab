"""
One disk, from a source to a target: run it, finish, or say why not.

    source that knows its extents, or changes  -> overlay: what matters, in parallel
    ranged source, disk as it is               -> parallel: tables first, then units in parallel
    ranged source, compressed, or an archive   -> wrapped: in parallel where that is possible
    anything else that can be read forward     -> one_pass: one pass, stage after stage
    formats that need random access or a tool  -> copying: by way of a temporary copy

Here: which way it is, starting anew when the source changed, and what is left behind. After a
permanent failure that is nothing; after any other the partial disk and its journal stay, and the
next run with the same request continues.
"""

from __future__ import annotations

import logging
import threading

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.codecs.codec import codec_for
from cdi.images.formats.inspect import is_archive
from cdi.images.sources.source import Mapped, Source
from cdi.images.transfer import attempt as attempts
from cdi.images.transfer import parallel
from cdi.images.transfer.attempt import EMPTY, HEAD, Attempt
from cdi.images.transfer.journalfile import journal_path, note_path
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from cdi.images.transfer.threads import Halt

log = logging.getLogger(__name__)


def run(request: TransferRequest, meter: Meter, cancel: threading.Event) -> Result:
    """Carry out `request`. Raises TransferError; Cancelled soon after `cancel` is set."""
    try:
        return _run_once(request, meter, cancel)
    except errors.SourceChanged as error:
        log.warning("source changed, starting anew", extra={"cause": str(error)})
        forget(request)
        return _run_once(request, meter, cancel, changed=True)


def forget(request: TransferRequest) -> None:
    """Remove what unfinished transfers of this request left, a temporary copy included."""
    attempts.forget(request.target, request.journal_file)
    if (copy := request.scratch) is not None:
        attempts.forget(copy, journal_path(copy))
        copy.unlink(missing_ok=True)
        note_path(copy).unlink(missing_ok=True)


def _run_once(
    request: TransferRequest, meter: Meter, cancel: threading.Event, *, changed: bool = False
) -> Result:
    """Run one attempt. If the source has `changed` before, that is no longer believed."""
    if not request.target.parent.is_dir():
        raise errors.InvalidRequest(f"{request.target.parent}: no such directory")
    try:
        made, copied = _fetched(request, meter, cancel, changed=changed)
        if copied:
            from cdi.images.transfer import copying  # few disks need one

            made = copying.from_copy(run, request, made, meter, cancel)
    except errors.TransferError as error:
        if error.kind is errors.Kind.PERMANENT:
            forget(request)
        raise
    forget(request)
    return made


def _fetched(
    request: TransferRequest, meter: Meter, cancel: threading.Event, *, changed: bool
) -> tuple[Result, bool]:
    """Fetch the disk, or a temporary copy to make it from; the latter if the second one holds."""
    halt = Halt(cancel)
    source = request.source(halt)
    try:
        return _attempted(request, source, meter, halt)
    except errors.NeedsScratch as need:
        from cdi.images.transfer import copying

        copy = copying.copy_for(request, source, need)
    except errors.TransferError as error:
        if isinstance(error, errors.SourceChanged) and not changed:
            raise
        from cdi.images.transfer import one_stream  # few servers need that

        instead = one_stream.instead(request, source, error, cancel)
        if instead is None:
            raise
        forget(request)
        return _fetched(instead, meter, cancel, changed=True)
    finally:
        halt.set()
        source.close()
    return run(copy, meter, cancel), True


def _attempted(
    request: TransferRequest, source: Source, meter: Meter, halt: threading.Event
) -> tuple[Result, bool]:
    """Fetch from an open source; where a copy is needed, go on with that as long as one can."""
    if request.scratch is not None and request.scratch.exists():
        from cdi.images.transfer import copying

        if (found := copying.found_complete(copying.copy_of(request), source.identity)) is not None:
            return found, True
    first = Attempt(request, source, meter, halt)
    try:
        made = _go(first)
    except errors.NeedsScratch as need:
        from cdi.images.transfer import copying

        return copying.taken(request, first, _go, need), True
    return made, first.copied


def _go(attempt: Attempt) -> Result:
    """Go the way that the source and its first bytes ask for.

    Raises NeedsScratch for what can be had neither way.
    """
    request, source = attempt.request, attempt.source
    if request.by_copy or _copy_is_begun(request, source):
        raise errors.NeedsScratch("an earlier attempt has found that it takes a copy")
    if isinstance(source, Mapped) or request.base is not None:
        from cdi.images.transfer import overlay

        return overlay.run(attempt)
    if not source.ranged:
        from cdi.images.transfer import one_pass

        return one_pass.streamed(attempt)
    if not source.size:
        raise errors.NotADisk(EMPTY)
    head = b"".join(source.stream(0, min(HEAD, source.size)))
    codec = codec_for(head)
    if codec or request.part or (request.looks_inside and is_archive(head)):
        from cdi.images.transfer import wrapped

        return wrapped.run(attempt, codec, head)
    return parallel.run(attempt, head)


def _copy_is_begun(request: TransferRequest, source: Source) -> bool:
    if request.scratch is None or not targets.partial_path(request.scratch).exists():
        return False
    from cdi.images.transfer import continuing, copying

    return continuing.earlier(copying.copy_of(request), source.identity) is not None
