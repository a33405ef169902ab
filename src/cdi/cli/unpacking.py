"""`cdi import --archive`: a tar, unpacked into a directory."""

from __future__ import annotations

from pathlib import Path

import click

from cdi.images import archive
from cdi.images.sources.spec import open_nothing


def request_for(
    directory: Path,
    *,
    checksum: tuple[str, str] | None,
    sha256: bool,
    connections: int,
    of_disks: bool,
) -> archive.UnpackRequest:
    """Return what is asked for; `of_disks` says that options were given that only disks have.

    The directory is made. Raises click.UsageError.
    """
    if of_disks:
        raise click.UsageError(
            "--archive unpacks files; leave out --size, --block, --preallocate and --disk"
        )
    directory = directory.absolute()
    try:
        _make_directory(directory)
    except OSError as error:
        place = error.filename or directory
        raise click.UsageError(f"{place}: {error.strerror}") from None
    return archive.UnpackRequest(
        source=open_nothing,
        directory=directory,
        checksum=checksum,
        sha256=sha256,
        connections=connections,
    )


def _make_directory(output: Path) -> None:
    if not output.parent.is_dir():
        raise click.UsageError(f"{output.parent}: no such directory")
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"{output} exists and is not a directory")
    output.mkdir(exist_ok=True)
