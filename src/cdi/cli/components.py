"""The commands that run, or install, a part of a cluster's CDI."""

from __future__ import annotations

import click

from cdi import firstprocess


def command_of(name: str) -> click.Command | None:
    """Return the command of a part, None where no part is called so."""
    firstprocess.end_when_told()
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
