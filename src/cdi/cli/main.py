"""
The `cdi` command: what it offers, and how it ends.

Exit status: that of the command; 1 for output that cannot be written, 2 for a command line that
cannot be understood, 130 for Ctrl-C.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Final

import click

import cdi

_STREAMS: Final = ("stdin", "stdout", "stderr")


class _Commands(click.Group):
    """Each command is loaded when it is asked for only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from cdi.cli import offered

        del ctx
        return list(offered.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name == "import":  # the one that is done in a moment
            from cdi.cli.commands.import_disk import command

            return command
        from cdi.cli import offered

        return offered.command_of(cmd_name)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(cdi.__version__, message="%(version)s")
def program() -> None:
    """Fill volumes with virtual-machine disks."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with its status."""
    _ensure_streams()
    gc.disable()  # until a command is loaded: looking for garbage takes a tenth of the time
    try:
        status = program.main(arguments, prog_name="cdi", standalone_mode=False)
        sys.stdout.flush()
    except (click.ClickException, click.Abort, OSError) as error:
        from cdi.cli import ending

        sys.exit(ending.told(error))
    finally:
        gc.enable()
    sys.exit(status)


def _ensure_streams() -> None:
    """Open those that whoever started us has closed, and let names of any bytes be printed.

    Without, a disk could be opened as number 1, and get what a child prints.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, name in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - a number, open until the end
    for stream in (sys.stdout, sys.stderr):
        unicode = getattr(stream, "encoding", "").lower().replace("-", "") == "utf8"
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


if __name__ == "__main__":
    main()
