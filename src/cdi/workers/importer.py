"""
The importer: `python -m cdi.workers.importer` fills one volume, once.

Its order comes from the environment (`WorkOrder`), the mounts from where they are in a pod or
from where `WorkerSettings` says. The transfer runs in a thread of its own; the main thread waits,
serves metrics once it is worth it, and hears signals. In every case the last thing that happens
is one termination message; `ending` has the table of messages and exit statuses. SIGTERM ends
the process within 5 s, with a journal from which the next start continues.

How each kind of source is reached is in `sources`. Sizes in bytes, durations in seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from cdi.api.termination import Termination, VDDKInfo
from cdi.api.workersettings import METRICS_PORT, WorkerSettings
from cdi.api.workorder import ARCHIVE, BLANK, WorkOrder
from cdi.images import archive, errors
from cdi.images.sources.source import Source
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from cdi.workers import (
    archives,
    blank,
    completion,
    ending,
    report,
    room,
    sources,
    starting,
    volume,
)
from cdi.workers.progresslog import ProgressLog
from cdi.workers.sources.limits import CONNECTIONS

log = logging.getLogger(__name__)

LEAVE_WITHIN = 4.0  # from a signal to the end, whatever network and disk do
METRICS_AFTER = 0.3  # most small imports are over by then
PORT_FILE = "metrics-port"  # beside the termination log, where the port is not fixed


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    return starting.start(env, lambda env: WorkOrder.from_env(env).without_line_ends(), _run)


def _run(order: WorkOrder, settings: WorkerSettings) -> int:
    running = Import(order, settings)
    ended = running.run()
    status = report.write(ended, settings)
    if status == ended.exit_code and ended.says_complete:
        running.is_told()
    return status


class Import:
    """One import, in a thread that the main one watches and stops."""

    def __init__(self, order: WorkOrder, settings: WorkerSettings) -> None:
        self._order, self._settings = order, settings
        self._volume = volume.Volume(
            settings,
            order.image_size,
            order.filesystem_overhead,
            preallocate=order.preallocation,
            direct_io=order.direct_io,
            claim=order.claim_uid,
        )
        self._meter = Meter()
        self._cancel = threading.Event()
        self._over = threading.Event()
        self._opened = False
        self._note: completion.Note | None = None
        self._ended: Termination | None = None

    def run(self) -> Termination:
        """Return how it ended, at the latest LEAVE_WITHIN after a signal."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._told_to_stop)
        order = self._order
        log.info("begins", extra={"source": order.source, "content_type": order.content_type})
        progress = ProgressLog(self._meter, time.monotonic())
        threading.Thread(target=self._work, name="import", daemon=True).start()
        if not self._over.wait(METRICS_AFTER):
            self._serve_metrics()
        # A wait without an end would hold signals back until something else happens.
        while not self._over.wait(0.5) and not self._cancel.is_set():
            progress.look(time.monotonic())
        self._over.wait(LEAVE_WITHIN)
        return self._ended or ending.failed(
            errors.Cancelled("a thread is stuck"), self._order.source, connecting=False
        )

    def is_told(self) -> None:
        """How it ended is written down: what would have told the next start goes."""
        if self._note is not None:
            self._note.remove()

    def _told_to_stop(self, number: int, _frame: object) -> None:
        log.info("told to stop", extra={"signal": number})
        self._cancel.set()

    def _serve_metrics(self) -> None:
        # Not at the top: it brings in the makings of certificates, which take a while to load.
        from cdi.workers import metrics

        settings = self._settings
        try:
            port = metrics.start(
                metrics.gauges_for(self._meter, self._order),
                settings.metrics_address,
                settings.metrics_port,
            )
            if settings.metrics_port != METRICS_PORT:
                report.write_whole(settings.termination_log.with_name(PORT_FILE), f"{port}\n")
        except OSError as error:
            log.warning("no metrics are served", extra={"cause": str(error)})

    def _work(self) -> None:
        try:
            self._ended = self._import()
        except errors.TransferError as error:
            log.log(
                logging.INFO if isinstance(error, errors.Cancelled) else logging.ERROR,
                "the import stopped",
                extra={"reason": error.reason, "kind": str(error.kind), "cause": str(error)},
            )
            self._ended = self._failed(error)
        except Exception as error:
            log.exception("a defect of the importer")
            self._ended = self._failed(error)
        finally:
            self._over.set()

    def _failed(self, error: Exception) -> Termination:
        connecting = not self._opened and isinstance(
            error, errors.SourceError | errors.InvalidRequest
        )
        ended = ending.failed(error, self._order.source, connecting=connecting)
        return ending.recognised(ended)

    def _import(self) -> Termination:
        order = self._order
        self._check_known()
        if order.source == BLANK:
            self._opened = True
            return self._once(self._blank)
        prepare = sources.preparer_for(order)
        if prepare is None:
            raise ending.NotSupported(f"{order.source} sources are not supported yet")
        with prepare(order, self._settings, self._cancel) as found:
            spec = replace(found, open=self._noted(found.open))
            if order.content_type == ARCHIVE:
                return self._once_unpacked(spec)
            return self._once(lambda note: self._filled(spec, note))

    def _once(self, fill: Callable[[completion.Note], Termination]) -> Termination:
        """Make the disk, unless an earlier start has done so and nobody heard of it."""
        place = self._volume.sibling("cdi-complete")
        self._note = note = completion.Note(place, self._volume.disk, self._order)
        if (ended := self._noted_before(note)) is None:
            return fill(note)
        self._volume.forget_journal()
        return ended

    def _once_unpacked(self, spec: SourceSpec) -> Termination:
        """The same for the files of an archive."""
        directory = self._volume.directory
        self._note = note = completion.Note(directory / archives.NOTE, directory, self._order)
        if (ended := self._noted_before(note)) is None:
            return self._unpacked(spec, note)
        archive.clear(directory)
        return ended

    def _noted_before(self, note: completion.Note) -> Termination | None:
        if (ended := note.read()) is None:
            note.remove()
            return None
        log.info("an earlier start has filled the volume")
        self._opened = True
        return ended

    def _filled(self, spec: SourceSpec, note: completion.Note) -> Termination:
        """Fill the volume from a source; the disk is complete and durable afterwards."""
        request = self._volume.request(spec, CONNECTIONS)
        ended = self._complete_for(spec)
        result = self._transfer(
            replace(request, committing=lambda result: note.write(ended(result)))
        )
        log.info(
            "imported",
            extra={
                "format": result.format,
                "compression": result.compression,
                "virtual_size": result.virtual_size,
                "fetched": result.fetched,
                "written": result.written,
                "resumed": result.resumed,
            },
        )
        volume.sync(self._volume.disk)
        return ended(result)

    def _complete_for(self, spec: SourceSpec) -> Callable[[Result], Termination]:
        """Return what says how it ended, from what was done."""

        def ended(result: Result) -> Termination:
            vddk = spec.vddk()
            return ending.complete(
                result,
                preallocated=self._order.preallocation,
                labels=spec.labels,
                vddk_info=VDDKInfo(*vddk) if vddk else None,
            )

        return ended

    def _unpacked(self, spec: SourceSpec, note: completion.Note) -> Termination:
        """Fill the volume with the files of an archive, complete and durable afterwards."""
        data = self._settings.data_dir
        wanted = archives.unpack_request_for(self._order, spec, data)
        ended = partial(ending.complete, preallocated=False, labels=spec.labels)
        noted = replace(wanted, committing=lambda result: note.write(ended(result)))
        result = archive.run(noted, self._meter, self._cancel)
        log.info(
            "unpacked",
            extra={
                "compression": result.compression,
                "size": result.size,
                "fetched": result.fetched,
                "written": result.written,
                "resumed": result.resumed,
            },
        )
        volume.sync(data)
        return ended(result)

    def _check_known(self) -> None:
        order = self._order
        if order.content_type == ARCHIVE:
            archives.insist_possible(order, self._volume.device)

    # A blank disk.

    def _blank(self, note: completion.Note) -> Termination:
        preallocate, disk, short = self._order.preallocation, self._volume.disk, ""
        if self._volume.device is not None:
            self._transfer(
                blank.request_for(
                    disk,
                    self._volume.device_size,
                    preallocate=preallocate,
                    journal=self._volume.journal,
                    device_name=self._volume.claim or None,
                )
            )
        else:
            room.clear(disk)
            given = self._volume.room(preallocated=preallocate)
            size, short = given.size, self._volume.shortfall(given)
            if preallocate:
                self._transfer(blank.request_for(disk, size, preallocate=True))
            else:
                blank.make_file(disk, size)
        volume.sync(disk)
        ended = ending.complete(None, preallocated=preallocate, but=short)
        note.write(ended)
        return ended

    def _noted(
        self, opening: Callable[[threading.Event], Source]
    ) -> Callable[[threading.Event], Source]:
        """Return what opens a source, and notes that it could be opened."""

        def opened(halt: threading.Event) -> Source:
            source = opening(halt)
            self._opened = True
            return source

        return opened

    def _transfer(self, order: TransferRequest) -> Result:
        return transfer.run(order, self._meter, self._cancel)


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck in the network or on a disk must not hold up the end.
    os._exit(status)
