"""`cdi import --archive`: a tar, unpacked into a directory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click

from cdi.cli.importvalues import Arguments
from cdi.images import archive
from cdi.images.sources.spec import SourceSpec, open_nothing
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.result import Result


def job(arguments: Arguments) -> Callable[[SourceSpec, Meter, threading.Event], Result]:
    """Return what unpacks an open source. Makes the directory; raises click.UsageError."""
    if arguments.size or arguments.block or arguments.preallocate or arguments.disk:
        raise click.UsageError(
            "--archive unpacks files; leave out --size, --block, --preallocate and --disk"
        )
    directory = arguments.output.absolute()
    try:
        _make_directory(directory)
    except OSError as error:
        place = error.filename or directory
        raise click.UsageError(f"{place}: {error.strerror}") from None
    request = archive.UnpackRequest(
        source=open_nothing,
        directory=directory,
        checksum=arguments.checksum,
        sha256=arguments.sha256,
        connections=arguments.connections,
    )
    return lambda spec, meter, cancel: archive.run(request.of(spec), meter, cancel)


def _make_directory(output: Path) -> None:
    if not output.parent.is_dir():
        raise click.UsageError(f"{output.parent}: no such directory")
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"{output} exists and is not a directory")
    output.mkdir(exist_ok=True)
