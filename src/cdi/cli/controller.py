"""
Run CDI's controllers in the foreground, against an API server where `cdi crds` are known.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work: a lost lease, an
API server that it may not speak to. Whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Final

import click

from cdi.controllers.settings import Settings
from cdi.controllers.setup import LEASE, controllers
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.web.metrics import ProcessMetrics, Server

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "cdi-controller"
# A DataVolume costs about twenty writes, events among them; a hundred of them at once should
# not queue up behind our own caution. A server with priority and fairness defends itself.
_RATE_LIMIT: Final = TransportSettings(rate=200.0, burst=400)


def run(
    kubeconfig: str,
    context: str,
    settings: Settings,
    metrics_address: tuple[str, int] | None,
    *,
    leader_elect: bool,
) -> None:
    """Run the controllers until SIGTERM. Exits with EXIT_FAILED where they cannot go on."""
    logging.basicConfig(
        level=logging.DEBUG if settings.verbosity > 1 else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(_run(kubeconfig, context, settings, metrics_address, leader_elect=leader_elect))
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi controller: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(
    kubeconfig: str,
    context: str,
    settings: Settings,
    metrics_address: tuple[str, int] | None,
    *,
    leader_elect: bool,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    credentials = connection.choose(kubeconfig, context)
    metrics = ProcessMetrics()
    async with Client.to(
        credentials, _RATE_LIMIT, field_manager=_FIELD_MANAGER, observer=metrics
    ) as client:
        manager = Manager()
        if metrics_address is not None:
            manager.add(Group.SERVERS, Server(metrics, *metrics_address))
        parts = await controllers(client, settings, metrics=metrics)
        elector = Elector(client, settings.namespace, LEASE) if leader_elect else None
        parts.add_to(manager, elector)
        await manager.run(stop)
