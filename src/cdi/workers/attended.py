"""
Work in a thread that the main thread attends: it hears signals, serves metrics, logs progress.

Metrics are served once the work has run for a while; a signal ends it within LEAVE_WITHIN, in
whatever state its journal has. Durations in seconds.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cdi.api.termination import Termination
from cdi.api.workersettings import METRICS_PORT, WorkerSettings
from cdi.images import errors
from cdi.images.transfer.meter import Meter
from cdi.workers import ending, report
from cdi.workers.progresslog import ProgressLog

log = logging.getLogger(__name__)

LEAVE_WITHIN = 4.0  # from a signal to the end, whatever network and disk do
METRICS_AFTER = 1.0  # what is small is over by then; nobody asks before that
CLONED = "kubevirt_cdi_clone_progress_total"  # the metric of copies, at either end
PORT_FILE = "metrics-port"  # beside the termination log, where the port is not fixed


@dataclass
class Attended:
    """`work` is given the meter to move and the event that ends it; it may raise TransferError."""

    settings: WorkerSettings
    owner_uid: str
    metric: str  # the name under which progress is published
    work: Callable[[Meter, threading.Event], Termination]
    _meter: Meter = field(default_factory=Meter)
    _cancel: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _ended: Termination | None = None

    def run(self) -> Termination:
        """Return how it ended."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._told_to_stop)
        progress = ProgressLog(self._meter, time.monotonic())
        threading.Thread(target=self._work, name="work", daemon=True).start()
        if not self._over.wait(METRICS_AFTER):
            self._serve_metrics()
        # A wait without an end would hold signals back until something else happens.
        while not self._over.wait(0.5) and not self._cancel.is_set():
            progress.look(time.monotonic())
        self._over.wait(LEAVE_WITHIN)
        stuck = errors.Cancelled("a thread is stuck")
        return self._ended or ending.failed(stuck, "", connecting=False)

    def _told_to_stop(self, number: int, _frame: object) -> None:
        log.info("told to stop", extra={"signal": number})
        self._cancel.set()

    def _serve_metrics(self) -> None:
        # Not at the top: it brings in the makings of certificates, which take a while to load.
        from cdi.workers import metrics

        settings = self.settings
        try:
            gauges = metrics.Gauges(self._meter, self.owner_uid, progress=self.metric)
            port = metrics.start(gauges, settings.metrics_address, settings.metrics_port)
            if settings.metrics_port != METRICS_PORT:
                report.write_whole(settings.termination_log.with_name(PORT_FILE), f"{port}\n")
        except OSError as error:
            log.warning("no metrics are served", extra={"cause": str(error)})

    def _work(self) -> None:
        try:
            self._ended = self.work(self._meter, self._cancel)
        except errors.TransferError as error:
            log.log(
                logging.INFO if isinstance(error, errors.Cancelled) else logging.ERROR,
                "the work stopped",
                extra={"reason": error.reason, "kind": str(error.kind), "cause": str(error)},
            )
            self._ended = ending.failed(error, "", connecting=False)
        except Exception as error:
            log.exception("a defect of the worker")
            self._ended = ending.failed(error, "", connecting=False)
        finally:
            self._over.set()
