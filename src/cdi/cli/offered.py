"""What the `cdi` command offers besides `cdi import`, which `main` knows by itself."""

from __future__ import annotations

from typing import Final

import click

# In the order in which the help shows them.
COMMANDS: Final = (
    "import",
    "image-upload",
    "up",
    "status",
    "explain",
    "controller",
    "apiserver",
    "uploadproxy",
    "bootsources",
    "operator",
    "hostpath",
    "manifests",
    "crds",
    "completion",
)


def command_of(name: str) -> click.Command | None:
    """Return a command, None where none is called so."""
    command: click.Command | None = None
    match name:
        case "image-upload":
            from cdi.cli.commands.image_upload import command
        case "up":
            from cdi.cli.commands.up import command
        case "status":
            from cdi.cli.commands.status import command
        case "explain":
            from cdi.cli.commands.explain import command
        case "crds":
            from cdi.cli.commands.crds import command
        case "completion":
            from cdi.cli.commands.completion import command
        case _:
            from cdi.cli import components

            return components.command_of(name)
    return command
