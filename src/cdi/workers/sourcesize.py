"""
How large the disk at a source is: `python -m cdi.workers.sourcesize`, before there is a claim.

It gets the order of an importer, fetches what says how large the disk is, a few pieces at most,
and leaves the size as `virtualSize` in its last message. Nothing is mounted and nothing written.
What another start cannot change ends with 0, so that no kubelet starts it again; the message has
no size then, but a reason.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import ARCHIVE, InvalidVariable, WorkOrder
from cdi.images import errors
from cdi.images.confined import walls
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import measuring
from cdi.workers import ending, logs, report, sources

log = logging.getLogger(__name__)


def main(env: Mapping[str, str]) -> int:
    """Measure what the order in `env` names; return the exit status."""
    logs.start()
    settings = WorkerSettings()
    halt = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: halt.set())
    try:
        settings = WorkerSettings.from_env(env)
        walls.require(required=settings.require_walls)
        order = WorkOrder.from_env(env).without_line_ends()
        ended = _measured(order, settings, halt)
    except InvalidVariable as error:
        ended = ending.failed(errors.InvalidRequest(str(error)), "", connecting=False)
    final = ended.permanent and not ended.mendable
    return report.write(replace(ended, exit_code=ending.OK) if final else ended, settings)


def _measured(order: WorkOrder, settings: WorkerSettings, halt: threading.Event) -> Termination:
    opened = False
    try:
        if order.content_type == ARCHIVE:
            raise errors.SizeUnknown(
                "an archive does not say how much it unpacks to; say it in "
                "resources.requests.storage"
            )
        prepare = sources.preparer_for(order)
        if prepare is None:
            raise ending.NotSupported(f"{order.source} sources are not measured")
        with prepare(order, settings, halt) as spec:
            opened = True
            return _told(measuring.measure(spec, halt), spec)
    except Exception as error:
        if not isinstance(error, errors.TransferError):
            log.exception("a defect of the worker")
        return ending.failed(error, order.source, connecting=not opened)


def _told(size: int, spec: SourceSpec) -> Termination:
    return Termination(message=f"the disk has {size} bytes", virtual_size=size, labels=spec.labels)


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    sys.stderr.flush()
    # Threads that are stuck in the network must not hold up the end.
    os._exit(status)
