"""Kinds of values on a command line: what each takes, and what it says of anything else."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

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


class Seconds(click.FloatRange):
    """A duration: a number with an end, which `nan` and `inf` are not."""

    name = "seconds"

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class Verbosity(click.ParamType[int]):
    """How much is logged: a number, which programs written in Go take as `-v=2`."""

    name = "integer"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        written = str(value).removeprefix("=")
        if not written.isdecimal():
            self.fail(f"{written!r} is not a number from 0 on.", param, ctx)
        return int(written)


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


class HomePath(click.Path[Path]):
    """A path. `~` is a home directory also where a shell leaves it: `--option=~/x`."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        if not os.fspath(value):
            self.fail("an empty name is no path.", param, ctx)
        try:
            expanded = Path(value).expanduser()
        except RuntimeError:
            self.fail(f"nobody knows the home directory of {value}.", param, ctx)
        return super().convert(expanded, param, ctx).absolute()


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


class HostPort(click.ParamType[tuple[str, int]]):
    """An address to listen on."""

    name = "address"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, colon, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT.", param, ctx)
        return host, int(port)
