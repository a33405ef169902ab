"""
Run a transfer in the foreground: shown, stopped by signals, ended with an exit status.

Exit status: 0 done, 1 a failure that another run may cure, 3 one that stays until somebody changes
something, 130 and 143 when interrupted.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from cdi.cli.progress import Display
from cdi.images import errors
from cdi.images.sources import opening
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result

EXIT_TRANSIENT: Final = 1
EXIT_PERMANENT: Final = 3
LEAVE_WITHIN: Final = 4.0  # seconds from a signal to the end, whatever the network does

# What is done with an open source; ends when the event is set.
Job = Callable[[SourceSpec, Meter, threading.Event], Result]


def run(source: str, options: opening.SourceOptions, job: Job, display: Display) -> int:
    """Do a job with what `source` names, and return the exit status."""
    return _Import(source, options, job, display).run()


class _Import:
    """The transfer in a thread of its own, watched and stopped from the main one."""

    def __init__(
        self, source: str, options: opening.SourceOptions, job: Job, display: Display
    ) -> None:
        self._source, self._options = source, options
        self._job, self._display = job, display
        self._meter = Meter()
        self._cancel = threading.Event()
        self._signal = 0
        self._result: Result | None = None
        self._error: BaseException | None = None

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)
        began = time.monotonic()
        thread = threading.Thread(target=self._transfer, name="transfer", daemon=True)
        thread.start()
        leave_at = 0.0
        with self._display as display:
            while thread.is_alive():
                thread.join(display.interval)
                display.progress(self._meter)
                if self._signal and not leave_at:
                    leave_at = time.monotonic() + LEAVE_WITHIN
                if leave_at and time.monotonic() > leave_at:
                    break
        if self._result is not None:
            self._display.done(self._result, time.monotonic() - began)
            return 0
        return self._failed()

    def _transfer(self) -> None:
        try:
            with opening.prepare(self._source, self._options, self._cancel) as spec:
                self._result = self._job(spec, self._meter, self._cancel)
        except BaseException as error:  # noqa: BLE001 - told to the user by the main thread
            self._error = error

    def _interrupted(self, number: int, _frame: object) -> None:
        self._signal = number
        self._cancel.set()

    def _failed(self) -> int:
        if self._signal:
            self._display.failed("Cancelled", "stopped; run again to continue", permanent=False)
            if self._error is None:
                os._exit(128 + self._signal)  # a thread is stuck in the network, or in the disk
            return 128 + self._signal
        if not isinstance(self._error, errors.TransferError):
            raise self._error or RuntimeError("the transfer ended without a result")
        permanent = self._error.kind is errors.Kind.PERMANENT
        self._display.failed(self._error.reason, str(self._error), permanent=permanent)
        return EXIT_PERMANENT if permanent else EXIT_TRANSIENT
