"""
`cdi import`: one disk from a URL or a file to a file or a block device.

Exit status: 0 done, 1 a failure that another run may cure (it continues where this one stopped),
2 usage, 3 a failure that stays until somebody changes something, 130 and 143 when interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cdi.cli import importvalues, options


def _output(_context: click.Context, _parameter: click.Parameter, value: str) -> Path:
    """Return where a disk goes: a file, a device or a directory, not a stream."""
    if not value:
        raise click.BadParameter("an empty name is no path.")
    if value == "-":
        raise click.BadParameter(
            "a disk is written with holes, not to standard output; "
            "./- names a file that is called so."
        )
    return Path(value)


@click.command
@click.argument("source", metavar="URL", type=importvalues.Source())
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False),
    callback=_output,
    metavar="PATH",
    required=True,
    help="Where the raw disk goes.",
)
@click.option(
    "--size",
    type=importvalues.DiskSize(),
    metavar="SIZE",
    help="Size of the disk, like 20Gi; a larger image is refused.",
)
@click.option(
    "--checksum",
    type=importvalues.Checksum(),
    metavar="ALG:HEX",
    help="md5, sha1, sha256 or sha512 of the file.",
)
@click.option("--sha256", is_flag=True, help="Report the file's sha256.")
@click.option(
    "--header",
    "headers",
    type=importvalues.Header(),
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Extra request header.",
)
@click.option("--user", metavar="NAME", help="User for basic authentication.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="File with the password; - reads standard input.",
)
@click.option(
    "--ca-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of certificates to trust as well.",
)
@click.option("--insecure", is_flag=True, help="Do not verify the TLS certificate.")
@click.option(
    "--platform",
    metavar="ARCH",
    default="",
    show_default=False,
    help="Of a container image, like arm64 or linux/arm/v7.",
)
@click.option("--block", is_flag=True, help="The output is a block device.")
@click.option("--preallocate", is_flag=True, help="Allocate all of the disk.")
@click.option("--archive", is_flag=True, help="Unpack a tar into the directory -o.")
@click.option("--disk", metavar="NAME", help="Which disk of an appliance (OVA).")
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    metavar="COUNT",
    default=16,
    help="Use at most so many connections.",
)
@options.stall_timeout
@options.require_walls
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object a line.")
def command(**given: Any) -> None:
    """Fetch a disk image and leave a raw disk.

    The disk is sparse, synced, and complete or not there.

    URL is an http(s), s3, gs, az or docker URL, a file, or - for standard input.

    Reads raw, qcow2, vmdk, vdi, vhd, vhdx, qed and iso, also as gz, xz, zst, bz2 and lz4.
    Interrupted, it continues when it is run again. With --archive a tar is unpacked instead:
    all of it, or nothing.
    """
    from cdi.cli import import_disk

    sys.exit(import_disk.run(importvalues.Arguments(**given)))
