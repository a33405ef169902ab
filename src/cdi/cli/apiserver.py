"""
Serve webhooks and upload tokens in the foreground, for an API server that is told where we are.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work. Whoever started
it starts it again.
"""

from __future__ import annotations

import asyncio
from typing import Final

import click

from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.manager import Group, Manager, Work
from cdi.kube.transport import Settings as TransportSettings
from cdi.web.apiserver.server import ApiServer, Settings
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process, tls
from cdi.web.serving.metrics import asked_as_bearer
from cdi.web.tokens.keys import BadKeys

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "cdi-apiserver"
# Somebody waits for every one of these requests; whoever sent it was limited already.
_RATE_LIMIT: Final = TransportSettings(rate=1000.0, burst=1000, request_timeout=15.0)


def run(kubeconfig: str, context: str, settings: Settings, verbosity: int) -> None:
    """Serve until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    tls.keep_connections_small()
    try:
        asyncio.run(_run(kubeconfig, context, settings))
    except (errors.KubeError, BadKeys, OSError) as error:
        click.echo(f"cdi apiserver: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(kubeconfig: str, context: str, settings: Settings) -> None:
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    metrics = ProcessMetrics()
    async with Client.to(
        credentials, _RATE_LIMIT, field_manager=_FIELD_MANAGER, observer=metrics
    ) as client:
        manager = Manager()
        server = ApiServer(client, settings, metrics, asked_as_bearer(credentials))
        await server.prepare()
        server.add_to(manager)
        manager.add(Group.CONTROLLERS, Work("settled", process.settle))
        await manager.run(stop)
