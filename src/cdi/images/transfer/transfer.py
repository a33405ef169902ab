"""
One disk, from a source to a target: run it, finish, or say why not.

Here: starting anew when the source changed, and what is left behind. Elsewhere: the way itself
(`attempt`), and the temporary copy for formats that need one (`copying`).

After a permanent failure nothing is left behind; after any other the partial disk and its journal
stay, and the next run with the same request continues.
"""

from __future__ import annotations

import dataclasses
import logging
import threading

from cdi.images import errors
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
        return _run_once(request, meter, cancel, changed=True)


def forget(request: TransferRequest) -> None:
    """Remove what unfinished transfers of this request left, a temporary copy included."""
    work.forget(request)
    if request.scratch is not None:
        work.forget(dataclasses.replace(request, target=request.scratch, journal=None))
        request.scratch.unlink(missing_ok=True)


def _run_once(
    request: TransferRequest, meter: Meter, cancel: threading.Event, *, changed: bool = False
) -> Result:
    """Run one attempt. If the source has `changed` before, that is no longer believed."""
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
        from cdi.images.transfer import copying  # few disks need one

        return copying.by_copy(run, request, request.scratch, meter, cancel)
    except errors.TransferError as error:
        if changed or not isinstance(error, errors.SourceChanged):
            from cdi.images.transfer import one_stream  # few servers need that

            if instead := one_stream.instead(request, source, error, cancel):
                forget(request)
                return _run_once(instead, meter, cancel, changed=True)
        if error.kind is errors.Kind.PERMANENT:
            forget(request)
        raise
    else:
        forget(request)
        return result
    finally:
        halt.set()
        source.close()
