"""
`cdi import`: what is asked of a transfer, which runs in the foreground.

It is shown, stopped by signals, and ended with an exit status: 0 done, 1 a failure that another run
may cure, 3 one that stays until somebody changes something, 130 and 143 when interrupted.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from cdi.cli import datadir
from cdi.cli.display import Display, JsonLines
from cdi.images import errors
from cdi.images import target as targets
from cdi.images.confined import walls
from cdi.images.http.options import HttpOptions
from cdi.images.sources import opening
from cdi.images.sources.spec import SourceOptions, SourceSpec
from cdi.images.transfer import threads, transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest

# Bytes of the longest ending that a file under way has, beside the target's own name.
_BESIDE = len(".cdi-scratch.cdi-complete")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")

EXIT_TRANSIENT: Final = 1
EXIT_PERMANENT: Final = 3
LEAVE_WITHIN: Final = 4.0  # seconds from a signal to the end, whatever the network does

# What is done with an open source; ends when the event is set.
Job = Callable[[SourceSpec, Meter, threading.Event], Result]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line says."""

    source: str
    output: Path
    size: int | None
    checksum: tuple[str, str] | None
    sha256: bool
    headers: tuple[str, ...]
    user: str | None
    password_file: Path | None
    ca_cert: Path | None
    insecure: bool
    platform: str
    block: bool
    preallocate: bool
    archive: bool
    disk: str | None
    connections: int
    stall_timeout: float | None
    require_walls: bool
    json_lines: bool


def run(arguments: Arguments) -> int:
    """Import, and return the exit status. Raises click.UsageError."""
    threads.keep_buffers()
    if arguments.require_walls:
        walls.require()
    job = _unpacking(arguments) if arguments.archive else _transfer(arguments)
    source_options = SourceOptions(_http_options(arguments), os.environ, arguments.platform)
    display = _display_for(json_lines=arguments.json_lines)
    return _Import(arguments.source, source_options, job, display).run()


def _display_for(*, json_lines: bool) -> Display:
    """Choose by what the user asked for and where the output goes."""
    if json_lines:
        return JsonLines(sys.stdout)
    from cdi.cli import terminal

    return terminal.Bar() if sys.stderr.isatty() else terminal.Lines(sys.stderr)


class _Import:
    """The transfer in a thread of its own, watched and stopped from the main one."""

    def __init__(self, source: str, options: SourceOptions, job: Job, display: Display) -> None:
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


def _transfer(arguments: Arguments) -> Job:
    target = arguments.output.absolute()
    _check_output(target, block=arguments.block)
    request = TransferRequest(
        source=opening.open_nothing,
        target=target,
        journal=_state_file(target, ".cdi-journal") if arguments.block else None,
        scratch=_scratch(target, block=arguments.block),
        size=arguments.size,
        checksum=arguments.checksum,
        sha256=arguments.sha256,
        preallocate=arguments.preallocate,
        connections=arguments.connections,
        disk=arguments.disk,
    )
    return lambda spec, meter, cancel: transfer.run(request.of(spec), meter, cancel)


def _unpacking(arguments: Arguments) -> Job:
    from cdi.images import archive

    if arguments.size or arguments.block or arguments.preallocate or arguments.disk:
        raise click.UsageError(
            "--archive unpacks files; leave out --size, --block, --preallocate and --disk"
        )
    directory = arguments.output.absolute()
    _check_directory(directory)
    request = archive.UnpackRequest(
        source=opening.open_nothing,
        directory=directory,
        checksum=arguments.checksum,
        sha256=arguments.sha256,
        connections=arguments.connections,
    )
    return lambda spec, meter, cancel: archive.run(request.of(spec), meter, cancel)


def _http_options(arguments: Arguments) -> HttpOptions:
    return HttpOptions(
        user=arguments.user or "",
        password=_password(arguments),
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


def _password(arguments: Arguments) -> str:
    file = arguments.password_file
    if (file is None) != (arguments.user is None):
        raise click.UsageError("--user and --password-file go together")
    if file is None:
        return ""
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--password-file: {file}: {error}") from None
    return text.rstrip("\r\n")


def _check_output(output: Path, *, block: bool) -> None:
    with _refused(output):
        _check_place(output, block=block)


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


def _check_directory(output: Path) -> None:
    with _refused(output):
        _make_directory(output)


def _make_directory(output: Path) -> None:
    if not output.parent.is_dir():
        raise click.UsageError(f"{output.parent}: no such directory")
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"{output} exists and is not a directory")
    output.mkdir(exist_ok=True)


@contextmanager
def _refused(output: Path) -> Iterator[None]:
    """What the file system says of a place that cannot be used is a mistake of whoever named it."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"{error.filename or output}: {error.strerror}") from None


def _scratch(output: Path, *, block: bool) -> Path:
    """A temporary copy lies beside a file; a device has no such place."""
    if not block:
        return output.with_name(output.name + ".cdi-scratch")
    return Path(os.environ.get("TMPDIR") or "/var/tmp") / _name_for(output, ".cdi-scratch")  # noqa: S108 - large, kept over a reboot, and opened with O_NOFOLLOW


def _state_file(device: Path, suffix: str) -> Path:
    """What is kept about a device lies in the user's state directory."""
    state = datadir.state()
    if state is None:
        raise click.UsageError("this user has no home directory; name a place in XDG_STATE_HOME")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state / _name_for(device, suffix)


def _name_for(device: Path, suffix: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", device.name)
    return f"{name}-{hashlib.sha256(bytes(device)).hexdigest()[:12]}{suffix}"
