"""`cdi up`: CDI on one machine, until told to stop."""

from __future__ import annotations

from pathlib import Path

import click

from cdi.cli import datadir, loading, options, paramtypes


@click.command
@click.option(
    "--data-dir",
    type=paramtypes.HomePath(file_okay=False),
    metavar="DIR",
    help="Where everything is kept; $XDG_DATA_HOME/cdi unless given.",
)
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="127.0.0.1:16443",
    help="Where the API is served; port 0 takes a free one.",
)
@click.option(
    "--listen-uploads",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    help="Where uploads are taken; beside the API unless given.",
)
@options.stall_timeout
@options.require_walls
@click.option(
    "--vddk-libdir",
    type=paramtypes.HomePath(exists=True, file_okay=False),
    metavar="DIR",
    help="Where VMware's VDDK library is, for imports from vSphere.",
)
@options.boot_images
def command(
    data_dir: Path | None,
    listen: tuple[str, int],
    listen_uploads: tuple[str, int] | None,
    stall_timeout: float | None,
    require_walls: bool,
    vddk_libdir: Path | None,
    boot_images: Path | None,
) -> None:
    """Run CDI on this machine: an API, volumes and workers."""
    directory = data_dir or datadir.default()
    if directory is None:
        raise click.UsageError("this user has no home directory; name a place with --data-dir")
    with loading.quickly():
        from cdi.cli import up

    up.run(
        directory,
        listen,
        stall_timeout,
        vddk_libdir,
        listen_uploads=listen_uploads,
        require_walls=require_walls,
        boot_images=boot_images,
    )
