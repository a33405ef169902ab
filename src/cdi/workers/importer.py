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
from pathlib import Path

from cdi.api.termination import Termination, VDDKInfo
from cdi.api.workersettings import METRICS_PORT, WorkerSettings
from cdi.api.workorder import ARCHIVE, BLANK, InvalidVariable, WorkOrder
from cdi.images import archive, errors
from cdi.images import target as targets
from cdi.images.confined import walls
from cdi.images.sources.source import Source
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import memory, transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest
from cdi.workers import archives, blank, completion, ending, logs, room, sources
from cdi.workers.progresslog import ProgressLog

log = logging.getLogger(__name__)

LEAVE_WITHIN = 4.0  # from a signal to the end, whatever network and disk do
METRICS_AFTER = 0.3  # most small imports are over by then
DISK = "disk.img"
PORT_FILE = "metrics-port"  # beside the termination log, where the port is not fixed


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    logs.start()
    memory.keep_buffers()
    try:
        settings = WorkerSettings.from_env(env)
    except InvalidVariable as error:
        ended = ending.failed(errors.InvalidRequest(str(error)), "", connecting=False)
        return _report(ended, WorkerSettings())
    walls.require(required=settings.require_walls)
    try:
        order = _without_line_ends(WorkOrder.from_env(env))
    except InvalidVariable as error:
        ended = ending.failed(errors.InvalidRequest(str(error)), "", connecting=False)
        return _report(ended, settings)
    running = Import(order, settings)
    ended = running.run()
    status = _report(ended, settings)
    if status == ended.exit_code and ended.says_complete:
        running.is_told()
    return status


class Import:
    """One import, in a thread that the main one watches and stops."""

    def __init__(self, order: WorkOrder, settings: WorkerSettings) -> None:
        self._order, self._settings = order, settings
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
                metrics.Gauges(self._meter, self._order.owner_uid),
                settings.metrics_address,
                settings.metrics_port,
            )
            if settings.metrics_port != METRICS_PORT:
                _write_whole(settings.termination_log.with_name(PORT_FILE), f"{port}\n")
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
        return ending.failed(error, self._order.source, connecting=connecting)

    def _import(self) -> Termination:
        order = self._order
        self._check_known()
        device = self._device()
        if order.source == BLANK:
            self._opened = True
            return self._once(device, lambda: self._blank(device))
        prepare = sources.preparer_for(order)
        if prepare is None:
            raise ending.NotSupported(f"{order.source} sources are not supported yet")
        with prepare(order, self._settings, self._cancel) as found:
            spec = replace(found, open=self._noted(found.open))
            if order.content_type == ARCHIVE:
                return self._unpacked(spec)
            return self._once(device, lambda: self._filled(spec, device))

    def _once(self, device: Path | None, fill: Callable[[], Termination]) -> Termination:
        """Fill the volume, unless an earlier start has done so and nobody heard of it."""
        journal = self._journal_for(device) if device else None
        disk = device or self._disk
        note = completion.Note((journal or disk).with_name(f"{disk.name}.cdi-complete"), disk,
                               self._order)  # fmt: skip
        if (ended := note.read()) is not None:
            log.info("an earlier start has filled the volume")
            self._opened = True
        else:
            note.remove()
            ended = fill()
            note.write(ended)
        self._note = note
        return ended

    def _filled(self, spec: SourceSpec, device: Path | None) -> Termination:
        """Fill the volume from a source; the disk is complete and durable afterwards."""
        result = self._fill_device(device, spec) if device else self._fill_file(spec)
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
        _sync(device or self._disk)
        vddk = spec.vddk()
        return ending.complete(
            result,
            preallocated=self._order.preallocation,
            labels=spec.labels,
            vddk_info=VDDKInfo(*vddk) if vddk else None,
        )

    def _unpacked(self, spec: SourceSpec) -> Termination:
        """Fill the volume with the files of an archive, complete and durable afterwards."""
        data = self._settings.data_dir
        wanted = archives.unpack_request_for(self._order, spec, data)
        result = archive.run(wanted, self._meter, self._cancel)
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
        _sync(data)
        return ending.complete(result, preallocated=False, labels=spec.labels)

    def _check_known(self) -> None:
        order = self._order
        if order.content_type == ARCHIVE:
            archives.insist_possible(order, self._device())

    @property
    def _disk(self) -> Path:
        return self._settings.data_dir / DISK

    def _device(self) -> Path | None:
        """The block volume, if that is what was given."""
        device = self._settings.block_device
        return device if device.exists() else None

    # A blank disk.

    def _blank(self, device: Path | None) -> Termination:
        order = self._order
        if device is not None:
            size = None if targets.is_device(device) else device.stat().st_size
            journal = self._journal_for(device)
            self._transfer(
                blank.request_for(device, size, preallocate=order.preallocation, journal=journal)
            )
        else:
            room.clear(self._disk)
            size = self._room().size
            if order.preallocation:
                self._transfer(blank.request_for(self._disk, size, preallocate=True))
            else:
                blank.make_file(self._disk, size)
        _sync(device or self._disk)
        return ending.complete(None, preallocated=order.preallocation)

    def _room(self) -> room.Room:
        order = self._order
        own = room.leftovers(self._disk)
        requested = None if order.image_size is None else order.image_size.value()
        found = room.file_system_of(self._settings.data_dir, own)
        return room.room_for(found, requested, order.filesystem_overhead)

    # A disk from a source.

    def _fill_file(self, spec: SourceSpec) -> Result:
        if spec.update:
            return self._transfer(self._order_for(spec, self._disk, None))
        room.clear(self._disk)
        found = self._room()
        order = self._order_for(spec, self._disk, found.size)
        return self._transfer(replace(order, limit=found.most))

    def _fill_device(self, device: Path, spec: SourceSpec) -> Result:
        # Without root, one machine has plain files for devices: they keep their size.
        size = None if targets.is_device(device) else device.stat().st_size
        order = self._order_for(spec, device, size)
        return self._transfer(replace(order, journal=self._journal_for(device)))

    def _journal_for(self, device: Path) -> Path | None:
        """Where the journal of a device lies: beside it, or else with the pod."""
        if device.parent != Path("/dev"):
            return None
        state = self._settings.state_dir
        # Without it a journal lives as long as the container.
        return (state if state.is_dir() else Path("/tmp")) / f"{device.name}.cdi-journal"  # noqa: S108

    def _noted(
        self, opening: Callable[[threading.Event], Source]
    ) -> Callable[[threading.Event], Source]:
        """Return what opens a source, and notes that it could be opened."""

        def opened(halt: threading.Event) -> Source:
            source = opening(halt)
            self._opened = True
            return source

        return opened

    def _order_for(self, spec: SourceSpec, target: Path, size: int | None) -> TransferRequest:
        wanted = TransferRequest(
            source=spec.open,
            target=target,
            scratch=self._scratch(),
            size=size,
            preallocate=self._order.preallocation,
            direct_io=self._order.direct_io,
            connections=sources.CONNECTIONS,
        )
        return wanted.of(spec)

    def _scratch(self) -> Path | None:
        """Where a temporary copy may lie: the scratch volume, if there is one."""
        directory = self._settings.scratch_dir
        return directory / "tmpimage" if directory.is_dir() else None

    def _transfer(self, order: TransferRequest) -> Result:
        return transfer.run(order, self._meter, self._cancel)


def _sync(path: Path) -> None:
    """Insist once more that the disk is on stable storage; clients look for the line."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    log.info("Successfully completed fsync(%s) syscall", path)


def _without_line_ends(order: WorkOrder) -> WorkOrder:
    """Drop the end of line that a Secret has which was made from a file, or by `echo`."""
    names = ("access_key_id", "secret_key", "session_token")
    return replace(order, **{name: getattr(order, name).rstrip("\r\n") for name in names})


def _report(ended: Termination, settings: WorkerSettings) -> int:
    message = ended.to_message()
    log.info("ends", extra={"status": ended.exit_code, "termination": message})
    try:
        settings.termination_log.write_text(message, encoding="utf-8")
    except OSError as error:
        log.error("the termination message is lost", extra={"cause": str(error)})  # noqa: TRY400
        return ended.exit_code or ending.FAILED  # an end that nobody can read is no success
    return ended.exit_code


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds all of it or nothing."""
    partial = path.with_name(path.name + ".new")
    partial.write_text(text, encoding="ascii")
    partial.replace(path)


if __name__ == "__main__":
    status = main(os.environ)
    logging.shutdown()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    # Threads that are stuck in the network or on a disk must not hold up the end.
    os._exit(status)
