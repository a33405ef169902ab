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
from cdi.bootsources.metrics import BootMetrics
from cdi.bootsources.setup import LEASE, BootSources
from cdi.cli import readyfile
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager, Work
from cdi.storage import tlsprofile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer

EXIT_FAILED: Final = 1
_NAME: Final = "cdi-bootsources"


def run(
    kubeconfig: str,
    context: str,
    namespace: str,
    boot_images: Path | None,
    listen: tuple[str, int] | None,
    verbosity: int,
    *,
    leader_elect: bool,
    ready_file: Path | None,
) -> None:
    """Run until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    address = Address(*listen) if listen else None
    try:
        shipped = common.shipped_with(boot_images)
        asyncio.run(
            _run(
                kubeconfig,
                context,
                shipped,
                namespace,
                address,
                ready_file,
                leader_elect=leader_elect,
            )
        )
    except (errors.KubeError, common.InvalidTemplates, OSError) as error:
        click.echo(f"cdi bootsources: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(
    kubeconfig: str,
    context: str,
    shipped: common.Shipped,
    namespace: str,
    address: Address | None,
    ready_file: Path | None,
    *,
    leader_elect: bool,
) -> None:
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    metrics, shown = ProcessMetrics(), BootMetrics()
    async with Client.to(credentials, field_manager=_NAME, observer=metrics) as client:
        await definitions.ensure(client)
        manager = Manager()
        elector = Elector(client, namespace, LEASE) if leader_elect else None
        parts = BootSources(client, shipped, metrics=metrics, shown=shown, asking_in=namespace)
        if address is not None:
            manager.add(Group.SERVERS, _server(address, client, parts, metrics, shown))
        parts.add_to(manager, elector)
        if ready_file is not None:
            manager.add(Group.CONTROLLERS, Work("ready file", readyfile.showing(ready_file)))
        await manager.run(stop)


def _server(
    address: Address,
    client: Client,
    parts: BootSources,
    metrics: ProcessMetrics,
    shown: BootMetrics,
) -> WebServer:
    """A follower is ready, too: it waits for the lease with full caches."""
    return component_server(
        _NAME,
        address,
        client,
        Health({"caches": lambda: parts.synced}),
        lambda: metrics.text() + shown.text(),
        lambda: tlsprofile.INTERMEDIATE,
    )
