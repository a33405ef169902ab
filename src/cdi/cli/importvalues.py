"""What `cdi import` takes: kinds of values, what each says of anything else, all of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
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

    def password(self) -> str:
        """Read the password from where it is. Raises click.UsageError."""
        file = self.password_file
        if file is None or self.user is None:
            raise click.UsageError("--user and --password-file go together")
        try:
            text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--password-file: {file}: {error}") from None
        return text.rstrip("\r\n")
