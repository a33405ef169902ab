"""
`cdi import`: what is asked of a transfer, which runs in the foreground.

It is shown, stopped by signals, and ended with an exit status (see `commands.import_disk`).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, TextIO

import click

from cdi.cli import displays
from cdi.cli.importvalues import Arguments
from cdi.images import target as targets
from cdi.images.confined import walls
from cdi.images.http.options import HttpOptions
from cdi.images.sources.http import HttpSource
from cdi.images.sources.spec import SourceOptions, SourceSpec, open_nothing
from cdi.images.transfer import threads, transfer
from cdi.images.transfer.meter import Meter, Throughput
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result

# Bytes of the longest ending that a file under way has, beside the target's own name.
_BESIDE = len(".cdi-scratch.cdi-complete")
_HTTP: Final = ("http://", "https://")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")

LEAVE_WITHIN: Final = 4.0  # seconds from a signal to the end, whatever the network does

# What is done with an open source; ends when the event is set.
Job = Callable[[SourceSpec, Meter, threading.Event], Result]


def run(arguments: Arguments) -> int:
    """Import, and return the exit status. Raises click.UsageError."""
    gc.freeze()  # all that was loaded
    gc.enable()
    threads.keep_buffers()
    if arguments.require_walls:
        walls.require()
    if arguments.archive:
        from cdi.cli import unpacking

        job: Job = unpacking.job(arguments)
    else:
        job = _transfer(arguments)
    source_options = SourceOptions(_http_options(arguments), os.environ, arguments.platform)
    display = _display_for(json_lines=arguments.json_lines)
    return _Import(arguments.source, source_options, job, display).run()


def _display_for(*, json_lines: bool) -> displays.Display:
    """Choose by what the user asked for and where the output goes."""
    if json_lines:
        return JsonLines(sys.stdout)
    from cdi.cli import terminal

    return terminal.Bar() if sys.stderr.isatty() else terminal.Lines(sys.stderr)


class JsonLines:
    """One JSON object a line, on standard output."""

    interval = 0.5

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._throughput = Throughput()

    def __enter__(self) -> displays.Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def progress(self, meter: Meter) -> None:
        rate, left = self._throughput.update(meter)
        self._print(
            "progress",
            stage=meter.stage,
            position=meter.position,
            total=meter.total,
            fetched=meter.fetched,
            bytesPerSecond=round(rate),
            secondsLeft=None if left is None else round(left, 1),
        )

    def done(self, result: Result, seconds: float) -> None:
        self._print(
            "done",
            reason="Completed",
            format=result.format,
            compression=result.compression,
            virtualSize=result.virtual_size,
            size=result.size,
            bytesFetched=result.fetched,
            bytesWritten=result.written,
            resumed=result.resumed,
            digest=None if result.digest is None else ":".join(result.digest),
            seconds=round(seconds, 3),
            stages={name: round(spent, 3) for name, spent in result.seconds.items()},
        )

    def failed(self, reason: str, message: str, *, permanent: bool) -> None:
        self._print("failed", reason=reason, permanent=permanent, message=message)

    def _print(self, event: str, **told: Any) -> None:
        print(json.dumps({"event": event, **told}), file=self._out, flush=True)


class _Import:
    """The transfer in a thread of its own, watched and stopped from the main one."""

    def __init__(
        self, source: str, options: SourceOptions, job: Job, display: displays.Display
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
        return displays.tell_failure(self._display, self._error, self._signal)

    def _transfer(self) -> None:
        try:
            with _prepared(self._source, self._options, self._cancel) as spec:
                self._result = self._job(spec, self._meter, self._cancel)
        except BaseException as error:  # noqa: BLE001 - told to the user by the main thread
            self._error = error

    def _interrupted(self, number: int, _frame: object) -> None:
        self._signal = number
        self._cancel.set()


def _prepared(
    place: str, options: SourceOptions, halt: threading.Event
) -> AbstractContextManager[SourceSpec]:
    if place.startswith(_HTTP):
        spec = SourceSpec(open=lambda cancel: HttpSource(place, options.http, cancel=cancel))
        return nullcontext(spec)
    from cdi.images.sources import kinds  # all others

    return kinds.prepare(place, options, halt)


def _transfer(arguments: Arguments) -> Job:
    target = arguments.output.absolute()
    _check_output(target, block=arguments.block)
    journal, scratch = _kept_beside(target, block=arguments.block)
    request = TransferRequest(
        source=open_nothing,
        target=target,
        journal=journal,
        scratch=scratch,
        size=arguments.size,
        checksum=arguments.checksum,
        sha256=arguments.sha256,
        preallocate=arguments.preallocate,
        connections=arguments.connections,
        disk=arguments.disk,
    )
    return lambda spec, meter, cancel: transfer.run(request.of(spec), meter, cancel)


def _http_options(arguments: Arguments) -> HttpOptions:
    secured = arguments.user is not None or arguments.password_file is not None
    return HttpOptions(
        user=arguments.user or "",
        password=arguments.password() if secured else "",
        headers=arguments.headers,
        ca_files=(arguments.ca_cert,) if arguments.ca_cert else (),
        insecure=arguments.insecure,
        stall=arguments.stall_timeout or HttpOptions().stall,
        connections=arguments.connections,
        proxies={
            key.lower(): value
            for key, value in os.environ.items()
            if key.lower() in PROXY_VARIABLES
        },
    )


def _check_output(output: Path, *, block: bool) -> None:
    try:
        _check_place(output, block=block)
    except OSError as error:
        # The mistake of whoever named a place that cannot be used.
        raise click.UsageError(f"{error.filename or output}: {error.strerror}") from None


def _check_place(output: Path, *, block: bool) -> None:
    device = targets.is_device(output)
    if block and not device:
        raise click.UsageError(f"{output} is not a block device, leave out --block")
    if device and not block:
        raise click.UsageError(f"{output} is a block device; add --block to overwrite it")
    if output.exists() and not device and not output.is_file():
        raise click.UsageError(f"{output} exists and is not a file")
    if not output.parent.is_dir():
        raise click.UsageError(f"{output.parent}: no such directory")
    longest = os.pathconf(output.parent, "PC_NAME_MAX")
    if len(os.fsencode(output.name)) + _BESIDE > longest and not device:
        raise click.UsageError(
            f"{output.name}: the name is too long; {_BESIDE} of {longest} bytes are needed for "
            "the names of files that lie beside it for a while"
        )


def _kept_beside(output: Path, *, block: bool) -> tuple[Path | None, Path]:
    """Return places for the journal, None for the usual one, and for a temporary copy."""
    if not block:
        return None, output.with_name(output.name + ".cdi-scratch")
    from cdi.cli import devicefiles

    return devicefiles.journal(output), devicefiles.scratch(output)
