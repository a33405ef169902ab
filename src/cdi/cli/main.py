"""The `cdi` command: what it offers, and how it ends."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import cdi
from cdi.cli import words

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
        print(cdi.__version__)  # without loading what the commands need
        return
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    if wanted not in COMMANDS:
        _by_typer(list(COMMANDS), arguments)
        return
    gc.disable()  # what is loaded stays: looking through it again and again takes a tenth of it
    module: Any = importlib.import_module(f"cdi.cli.{COMMANDS[wanted]}")
    gc.freeze()
    gc.enable()
    given = words.plain(module.command, arguments[1:]) if arguments[0] == wanted else None
    if given is None:
        _by_typer([wanted], arguments)
        return
    try:
        module.command(**given)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain about it once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _by_typer(wanted: list[str], arguments: list[str]) -> None:
    # Loaded for those only who need it.
    app: Any = importlib.import_module("cdi.cli.app")
    app.run(COMMANDS, wanted, arguments)


if __name__ == "__main__":
    main()
