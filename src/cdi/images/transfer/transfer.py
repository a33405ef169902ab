"""
One disk, from a source to a target: run it, finish, or say why not.

Here: starting anew when the source changed, and what is left behind. Elsewhere: the way itself
(`attempt`), and the temporary copy for formats that need one (`copying`).

After a permanent failure nothing is left behind; after any other the partial disk and its journal
stay, and the next run with the same request continues.
"""

from __future__ import annotations

import logging
import threading

from cdi.images import errors
from cdi.images.sources.source import Once, Source
from cdi.images.transfer import attempt, work
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest
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
    work.forget(request)
    if request.scratch is not None:
        copy = request.as_copy()
        work.forget(copy)
        copy.target.unlink(missing_ok=True)
        copy.note_of_completion.unlink(missing_ok=True)


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
        copy = _copy_for(request, source, need)
    except errors.TransferError as error:
        instead = _in_one_stream(request, source, error, cancel, changed=changed)
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
    if (made := _copied_before(request, source)) is not None:
        return made, True
    first = attempt.Attempt(request, source, meter, halt)
    try:
        made = first.run()
    except errors.NeedsScratch as need:
        work.forget(request)
        # Once halted, its readers are gone, and what they have read with them.
        if request.scratch is None or halt.is_set():
            raise
        log.info("taking a temporary copy", extra={"cause": str(need)})
        made = attempt.Attempt(request.as_copy(), source, meter, halt).run()
        return _noted(request, source, made), True
    return (_noted(request, source, made), True) if first.copied else (made, False)


def _copy_for(
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
    return request.as_copy()


def _copied_before(request: TransferRequest, source: Source) -> Result | None:
    if request.scratch is None or not request.scratch.exists():
        return None
    from cdi.images.transfer import copying

    return copying.found_complete(request.as_copy(), source.identity)


def _noted(request: TransferRequest, source: Source, made: Result) -> Result:
    from cdi.images.transfer import copying

    copying.note_complete(request.as_copy(), source.identity, made)
    return made


def _in_one_stream(
    request: TransferRequest,
    source: Source,
    error: errors.TransferError,
    cancel: threading.Event,
    *,
    changed: bool,
) -> TransferRequest | None:
    """Return the same request without ranges, where these may be what is wrong."""
    if isinstance(error, errors.SourceChanged) and not changed:
        return None
    from cdi.images.transfer import one_stream  # few servers need that

    return one_stream.instead(request, source, error, cancel)
