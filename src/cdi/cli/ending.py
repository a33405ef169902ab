"""How the program ends when a command cannot go on, whichever it is."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


def told(error: click.ClickException | click.Abort | OSError) -> int:
    """Tell of the error whom it concerns; return the exit status."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED
    _discard_output()
    if not isinstance(error, BrokenPipeError):  # or else whoever read it has read enough
        about = "standard output" if error.filename is None else error.filename
        click.echo(f"cdi: {about}: {(error.strerror or str(error)).lower()}", err=True)
    return EXIT_FAILED


def _discard_output() -> None:
    """Let what is still to be written vanish, after a write that failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
