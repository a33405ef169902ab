"""
Run the operator in the foreground, against an API server where the definition of CDI is known.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work: a lost lease, an
API server that it may not speak to. Whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
from typing import Final

import click
from aiohttp import web

from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.operator.settings import Settings
from cdi.operator.setup import operator as operator_of
from cdi.storage import tlsprofile
from cdi.storage.tlsprofile import TLSProfile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process, tls
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer

EXIT_FAILED: Final = 1
_NAME: Final = "cdi-operator"
# An installation is some sixty objects; one pass over all of them should not wait.
_RATE_LIMIT: Final = TransportSettings(rate=50.0, burst=150)


def run(
    kubeconfig: str,
    context: str,
    settings: Settings,
    metrics: Address,
    health: Address,
    verbosity: int,
) -> None:
    """Run the operator until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    tls.keep_connections_small()
    try:
        asyncio.run(_run(kubeconfig, context, settings, metrics, health))
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi operator: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(
    kubeconfig: str, context: str, settings: Settings, listen: Address, probes: Address
) -> None:
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    metrics = ProcessMetrics()
    async with Client.to(credentials, _RATE_LIMIT, field_manager=_NAME, observer=metrics) as client:
        manager = Manager()
        operator = operator_of(client, settings, metrics=metrics, readiness=metrics.readiness)
        metrics.readiness(-1)
        health = Health({"caches": lambda: operator.synced})
        scraped = component_server(
            _NAME,
            listen,
            client,
            Health(),
            metrics.text,
            lambda: _profile(operator.watches.owners),
        )
        manager.add(Group.SERVERS, scraped, _probed(probes, health))
        operator.add_to(manager)
        await manager.run(stop)


def _probed(address: Address, health: Health) -> WebServer:
    app = web.Application()
    app.router.add_routes(health.routes())
    return WebServer("probes", app, address, None, health, drain=0.0)


def _profile(installations: Informer) -> TLSProfile:
    """As the CDI object says, which CDIConfig follows."""
    found = installations.cache.list()
    spec = objects.get(found[0], "spec", "config") if len(found) == 1 else None
    return tlsprofile.profile_for(spec)
