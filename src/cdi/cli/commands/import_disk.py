"""
`cdi import`: one disk from a URL or a file to a file or a block device.

Exit status: 0 done, 1 a failure that another run may cure (it continues where this one stopped),
2 usage, 3 a failure that stays until somebody changes something, 130 and 143 when interrupted.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from cdi.cli import loading, options

# What the name of a header is made of (RFC 9110, section 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Source(click.ParamType[str]):
    """A URL, a path or `-`, taken as it is: what it means is found out when it is opened."""

    name = "source"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Let the shell complete files."""
        del ctx, param
        return [CompletionItem(incomplete, type="file")]


class DiskSize(click.ParamType[int]):
    """Bytes, written as a quantity of Kubernetes."""

    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from cdi.api import quantity

        try:
            size = quantity.parse(value).value()
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size <= 0:
            self.fail(f"{value} is no size for a disk.", param, ctx)
        return size


class Output(click.Path[Path]):
    """Where a disk goes: a file, a device or a directory, not a stream."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, readable=False)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        if not os.fspath(value):
            self.fail("an empty name is no path.", param, ctx)
        if os.fspath(value) == "-":
            self.fail(
                "a disk is written with holes, not to standard output; "
                "./- names a file that is called so.",
                param,
                ctx,
            )
        return Path(value)


class Header(click.ParamType[str]):
    """One line of a request's head."""

    name = "header"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name, colon, _ = value.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            self.fail("a header is written NAME: VALUE.", param, ctx)  # its value may be a secret
        return value


class Checksum(click.ParamType[tuple[str, str]]):
    """A digest that a file must have, with its algorithm."""

    name = "checksum"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        from cdi.images import digest

        try:
            return digest.parse_checksum(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


@click.command
@click.argument("source", metavar="URL", type=Source())
@click.option(
    "-o",
    "--output",
    type=Output(),
    metavar="PATH",
    required=True,
    help="Where the raw disk goes.",
)
@click.option(
    "--size",
    type=DiskSize(),
    metavar="SIZE",
    help="Size of the disk, like 20Gi; a larger image is refused.",
)
@click.option(
    "--checksum",
    type=Checksum(),
    metavar="ALG:HEX",
    help="md5, sha1, sha256 or sha512 of the file.",
)
@click.option("--sha256", is_flag=True, help="Report the file's sha256.")
@click.option(
    "--header",
    "headers",
    type=Header(),
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
    with loading.quickly():
        from cdi.cli import import_disk

    sys.exit(import_disk.run(import_disk.Arguments(**given)))
