"""
Run the controller of boot images in the foreground, until told to stop.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work. Whoever started
it starts it again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from cdi.bootsources import common, definitions
from cdi.bootsources.setup import LEASE, BootSources
from cdi.cli import readyfile
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager, Work
from cdi.web.serving import process

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "cdi-bootsources"


def run(
    kubeconfig: str,
    context: str,
    namespace: str,
    boot_images: Path | None,
    verbosity: int,
    *,
    leader_elect: bool,
    ready_file: Path | None,
) -> None:
    """Run until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    try:
        shipped = common.shipped_with(boot_images)
        asyncio.run(
            _run(kubeconfig, context, shipped, namespace, ready_file, leader_elect=leader_elect)
        )
    except (errors.KubeError, common.InvalidTemplates, OSError) as error:
        click.echo(f"cdi bootsources: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(
    kubeconfig: str,
    context: str,
    shipped: common.Shipped,
    namespace: str,
    ready_file: Path | None,
    *,
    leader_elect: bool,
) -> None:
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    async with Client.to(credentials, field_manager=_FIELD_MANAGER) as client:
        await definitions.ensure(client)
        manager = Manager()
        elector = Elector(client, namespace, LEASE) if leader_elect else None
        BootSources(client, shipped, asking_in=namespace).add_to(manager, elector)
        if ready_file is not None:
            manager.add(Group.CONTROLLERS, Work("ready file", readyfile.showing(ready_file)))
        await manager.run(stop)
