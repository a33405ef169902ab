"""Kinds of values that `cdi import` takes, and what each says of anything else."""

from __future__ import annotations

import re
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
