"""The `cdi` command: what it offers, and how it ends."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer

import cdi

app = typer.Typer(
    name="cdi",
    help="Fill volumes with virtual-machine disks.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# name: module of this package with a function `command`. Imported when asked for only, as a
# worker or `cdi --help` should not pay for what it does not use.
COMMANDS = {
    "import": "import_disk",
    "up": "up",
    "status": "status",
    "explain": "explain",
    "controller": "controller",
    "crds": "crds",
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        typer.echo(cdi.__version__)  # without loading what the commands need
        return
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        module: Any = importlib.import_module(f"cdi.cli.{COMMANDS[str(name)]}")
        app.command(name)(module.command)
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


if __name__ == "__main__":
    main()
