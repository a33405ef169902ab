"""Run the parts of the hostpath provisioner in the foreground, until told to stop."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from cdi.hostpath.settings import DriverSettings
from cdi.hostpath.setup import add_driver, add_provisioner
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.manager import Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.web.serving import process

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "hostpath-provisioner"
_RATE_LIMIT: Final = TransportSettings(rate=100.0, burst=200)


def run_driver(settings: DriverSettings, kubeconfig: str, context: str, verbosity: int) -> None:
    """Run the CSI driver until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    try:
        asyncio.run(_driver(settings, kubeconfig, context))
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi hostpath driver: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _driver(settings: DriverSettings, kubeconfig: str, context: str) -> None:
    stop, manager = process.stop_on_signals(), Manager()
    keeper = add_driver(manager, settings)
    if not settings.provisions:
        await manager.run(stop)
        return
    credentials = connection.choose(kubeconfig, context)
    async with Client.to(credentials, _RATE_LIMIT, field_manager=_FIELD_MANAGER) as client:
        add_provisioner(manager, client, settings.driver, keeper)
        await manager.run(stop)
