"""Kinds of values that several commands take, and what each says of anything else."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click


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


class HomePath(click.Path[Path]):
    """A path. `~` is a home directory also where a shell leaves it: `--option=~/x`."""

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
        return Path(super().convert(expanded, param, ctx)).absolute()


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
