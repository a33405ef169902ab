"""
`cdi import`: one disk from a URL or a file to a file or a block device.

Exit status: 0 done, 1 a failure that another run may cure (it continues where this one stopped),
2 usage, 3 a failure that stays until somebody changes something, 130 and 143 when interrupted.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cdi.api import quantity
from cdi.api.place import Place
from cdi.cli import words
from cdi.cli.patience import StallTimeout
from cdi.cli.progress import Display, display_for
from cdi.images import digest, errors
from cdi.images import target as targets
from cdi.images.http.options import HttpOptions
from cdi.images.sources import opening
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import memory, transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result, TransferRequest

EXIT_TRANSIENT, EXIT_USAGE, EXIT_PERMANENT = 1, 2, 3
LEAVE_WITHIN = 4.0  # seconds from a signal to the end, whatever the network does
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


def command(
    source: Annotated[
        str,
        words.Argument(
            metavar="URL",
            help="http(s), s3, gs, az or docker URL, a file, or - for standard input.",
        ),
    ],
    output: Annotated[Path, words.Option("-o", "--output", help="Where the raw disk goes.")],
    size: Annotated[
        str | None, words.Option(help="Size of the disk, like 20Gi; a larger image is refused.")
    ] = None,
    checksum: Annotated[
        str | None, words.Option(metavar="ALG:HEX", help="md5, sha1, sha256 or sha512 of the file.")
    ] = None,
    sha256: Annotated[bool, words.Option("--sha256", help="Report the file's sha256.")] = False,
    header: Annotated[
        list[str] | None, words.Option(metavar="'NAME: VALUE'", help="Extra request header.")
    ] = None,
    user: Annotated[str | None, words.Option(help="User for basic authentication.")] = None,
    password_file: Annotated[
        Path | None, words.Option(help="File with the password; - reads standard input.")
    ] = None,
    ca_cert: Annotated[
        Path | None, words.Option(help="PEM file of certificates to trust as well.")
    ] = None,
    insecure: Annotated[
        bool, words.Option("--insecure", help="Do not verify the TLS certificate.")
    ] = False,
    platform: Annotated[
        str,
        words.Option(metavar="ARCH", help="Of a container image, like arm64 or linux/arm/v7."),
    ] = "",
    block: Annotated[bool, words.Option("--block", help="The output is a block device.")] = False,
    preallocate: Annotated[
        bool, words.Option("--preallocate", help="Allocate all of the disk.")
    ] = False,
    archive: Annotated[
        bool, words.Option("--archive", help="Unpack a tar into the directory -o.")
    ] = False,
    disk: Annotated[
        str | None, words.Option(metavar="NAME", help="Which disk of an appliance (OVA).")
    ] = None,
    connections: Annotated[
        int, words.Option(min=1, max=64, help="Use at most so many connections.")
    ] = 16,
    stall_timeout: StallTimeout = None,
    json_lines: Annotated[
        bool, words.Option("--json", help="Print one JSON object a line.")
    ] = False,
) -> None:
    """Fetch a disk image and leave a raw disk: sparse, synced, and complete or not there.

    Reads raw, qcow2, vmdk, vdi, vhd, vhdx, qed and iso, also as gz, xz, zst, bz2 and lz4.
    Interrupted, it continues when it is run again. With --archive a tar is unpacked instead:
    all of it, or nothing.
    """
    options = HttpOptions(
        user=user or "",
        password=_password(user, password_file),
        headers=tuple(header or ()),
        ca_files=(ca_cert,) if ca_cert else (),
        insecure=insecure,
        stall=stall_timeout or Place().stall_timeout,
        connections=connections,
        proxies={
            key.lower(): value
            for key, value in os.environ.items()
            if key.lower() in PROXY_VARIABLES
        },
    )
    target = output.absolute()
    memory.keep_buffers()
    source_options = opening.SourceOptions(options, os.environ, platform)
    display = display_for(json_lines=json_lines)
    if archive:
        _check_directory(target, plain=not (size or block or preallocate or disk))
        archives: Any = importlib.import_module("cdi.images.archive")  # few need it
        wanted = archives.UnpackRequest(
            source=opening.open_nothing,
            directory=target,
            checksum=_checksum(checksum),
            sha256=sha256,
            connections=connections,
        )
        sys.exit(_Run(source, source_options, _unpacking(archives.run, wanted), display).run())
    _check_output(output, block=block)
    order = TransferRequest(
        source=opening.open_nothing,
        target=target,
        journal=_state_file(target, ".cdi-journal") if block else None,
        scratch=_scratch(target, block=block),
        size=_bytes(size),
        checksum=_checksum(checksum),
        sha256=sha256,
        preallocate=preallocate,
        connections=connections,
        disk=disk,
    )
    sys.exit(_Run(source, source_options, _transfer(order), display).run())


Deed = Callable[[SourceSpec, Meter, threading.Event], Result]


def _transfer(order: TransferRequest) -> Deed:
    return lambda spec, meter, cancel: transfer.run(order.of(spec), meter, cancel)


def _unpacking(run: Callable[..., Result], wanted: Any) -> Deed:
    return lambda spec, meter, cancel: run(wanted.of(spec), meter, cancel)


class _Run:
    """The transfer in a thread of its own, watched and stopped from the main one."""

    def __init__(
        self, place: str, wanted: opening.SourceOptions, deed: Deed, display: Display
    ) -> None:
        self._place, self._wanted = place, wanted
        self._deed, self._display = deed, display
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
            with opening.prepare(self._place, self._wanted, self._cancel) as spec:
                self._result = self._deed(spec, self._meter, self._cancel)
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


def _usage(message: str) -> NoReturn:
    print(f"cdi import: {message}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def _bytes(size: str | None) -> int | None:
    if size is None:
        return None
    try:
        value = quantity.parse(size).value()
    except ValueError as error:
        _usage(f"--size: {error}")
    if value <= 0:
        _usage(f"--size: {size} is no size for a disk")
    return value


def _checksum(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    try:
        return digest.parse_checksum(text)
    except ValueError as error:
        _usage(f"--checksum: {error}")


def _password(user: str | None, file: Path | None) -> str:
    if file is None:
        if user is not None:
            _usage("--user goes with --password-file")
        return ""
    if user is None:
        _usage("--password-file goes with --user")
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _usage(f"--password-file: {file}: {error}")
    return text.rstrip("\r\n")


def _check_output(output: Path, *, block: bool) -> None:
    device = targets.is_device(output)
    if block and not device:
        _usage(f"{output} is not a block device, leave out --block")
    if device and not block:
        _usage(f"{output} is a block device; add --block to overwrite it")
    if output.exists() and not device and not output.is_file():
        _usage(f"{output} exists and is not a file")
    if not output.parent.is_dir():
        _usage(f"{output.parent}: no such directory")


def _check_directory(output: Path, *, plain: bool) -> None:
    if not plain:
        _usage("--archive unpacks files; leave out --size, --block, --preallocate and --disk")
    if not output.parent.is_dir():
        _usage(f"{output.parent}: no such directory")
    if output.exists() and not output.is_dir():
        _usage(f"{output} exists and is not a directory")
    output.mkdir(exist_ok=True)


def _scratch(output: Path, *, block: bool) -> Path:
    """A temporary copy lies beside a file; a device has no such place."""
    if not block:
        return output.with_name(output.name + ".cdi-scratch")
    return Path(os.environ.get("TMPDIR") or "/var/tmp") / _name_for(output, ".cdi-scratch")  # noqa: S108 - large, kept over a reboot, and opened with O_NOFOLLOW


def _state_file(device: Path, suffix: str) -> Path:
    """What is kept about a device lies in the user's state directory."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cdi"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state / _name_for(device, suffix)


def _name_for(device: Path, suffix: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", device.name)
    return f"{name}-{hashlib.sha256(bytes(device)).hexdigest()[:12]}{suffix}"
