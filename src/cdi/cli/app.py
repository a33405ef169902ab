"""The `cdi` command as typer shows it: help, mistakes, and all that is not read in `words`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

import cdi
from cdi.cli import words

app = typer.Typer(
    name="cdi",
    help="Fill volumes with virtual-machine disks.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(commands: Mapping[str, str], wanted: Iterable[str], arguments: list[str]) -> None:
    """Run the command line `arguments` with those of `commands` that are `wanted`; exits."""
    for name in wanted:
        module: Any = importlib.import_module(f"cdi.cli.{commands[name]}")
        app.command(name)(words.for_typer(module.command))
    app(arguments)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(cdi.__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
