"""From the command line of `cdi import` to what is asked of a transfer."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from cdi.cli import datadir, importing
from cdi.cli.progress import display_for
from cdi.images import target as targets
from cdi.images.confined import walls
from cdi.images.http.options import HttpOptions
from cdi.images.sources import opening
from cdi.images.transfer import threads, transfer
from cdi.images.transfer.request import TransferRequest

# Bytes of the longest ending that a file under way has, beside the target's own name.
_BESIDE = len(".cdi-scratch.cdi-complete")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")


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
    source_options = opening.SourceOptions(_http_options(arguments), os.environ, arguments.platform)
    display = display_for(json_lines=arguments.json_lines)
    return importing.run(arguments.source, source_options, job, display)


def _transfer(arguments: Arguments) -> importing.Job:
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


def _unpacking(arguments: Arguments) -> importing.Job:
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
