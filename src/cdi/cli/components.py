"""The commands that run, or install, a part of a cluster's CDI."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

import click

EXIT_ENDED: Final = 143  # as of a process that SIGTERM has ended


def command_of(name: str) -> click.Command | None:
    """Return the command of a part, None where no part is called so."""
    _be_ended_from_the_start()
    command: click.Command | None = None
    match name:
        case "controller":
            from cdi.cli.commands.controller import command
        case "apiserver":
            from cdi.cli.commands.apiserver import command
        case "uploadproxy":
            from cdi.cli.commands.uploadproxy import command
        case "bootsources":
            from cdi.cli.commands.bootsources import command
        case "operator":
            from cdi.cli.commands.operator import command
        case "hostpath":
            from cdi.cli.commands.hostpath import command
        case "manifests":
            from cdi.cli.commands.manifests import command
    return command


def _be_ended_from_the_start() -> None:
    """Let SIGTERM end the first process of a container before it has a handler of its own.

    The kernel keeps it from a first process without one, so that a pod that is to end while its
    code is loaded would be waited for until it is killed, half a minute later.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_ENDED))
