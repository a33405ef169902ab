"""Run the parts of the hostpath provisioner in the foreground, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import click

from cdi.hostpath.metrics import DriverMetrics
from cdi.hostpath.provisioning.legacy import LegacySettings
from cdi.hostpath.settings import DriverSettings
from cdi.hostpath.setup import add_driver, add_legacy_provisioner, add_provisioner
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.manager import Group, Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.storage import tlsprofile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "hostpath-provisioner"
_RATE_LIMIT: Final = TransportSettings(rate=100.0, burst=200)


def run_driver(
    settings: DriverSettings,
    kubeconfig: str,
    context: str,
    listen: tuple[str, int] | None,
    verbosity: int,
) -> None:
    """Run the CSI driver until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    address = Address(*listen) if listen else None
    _run("driver", _driver(settings, kubeconfig, context, address), verbosity)


def run_provisioner(
    settings: LegacySettings, kubeconfig: str, context: str, verbosity: int
) -> None:
    """Run the legacy provisioner until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    _run("provisioner", _provisioner(settings, kubeconfig, context), verbosity)


def _run(name: str, work: Coroutine[Any, Any, None], verbosity: int) -> None:
    process.log_to_stderr(verbosity)
    try:
        asyncio.run(work)
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi hostpath {name}: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _driver(
    settings: DriverSettings, kubeconfig: str, context: str, address: Address | None
) -> None:
    stop, manager = process.stop_on_signals(), Manager()
    keeper = add_driver(manager, settings)
    if not settings.provisions and address is None:
        await manager.run(stop)
        return
    metrics = ProcessMetrics()
    async with _client(kubeconfig, context, metrics) as client:
        if settings.provisions:
            add_provisioner(manager, client, settings, keeper, metrics)
        if address is not None:
            of_driver = DriverMetrics(keeper, settings.socket.parent)
            manager.add(Group.SERVERS, _server(address, client, metrics, of_driver))
        await manager.run(stop)


async def _provisioner(settings: LegacySettings, kubeconfig: str, context: str) -> None:
    stop, manager, metrics = process.stop_on_signals(), Manager(), ProcessMetrics()
    async with _client(kubeconfig, context, metrics) as client:
        await add_legacy_provisioner(manager, client, settings, metrics)
        await manager.run(stop)


def _client(kubeconfig: str, context: str, metrics: ProcessMetrics) -> Client:
    credentials = connection.choose(kubeconfig, context)
    return Client.to(credentials, _RATE_LIMIT, field_manager=_FIELD_MANAGER, observer=metrics)


def _server(
    address: Address, client: Client, metrics: ProcessMetrics, of_driver: DriverMetrics
) -> WebServer:
    return component_server(
        "hpp-prometheus-metrics",
        address,
        client,
        Health({}),
        lambda: metrics.text() + of_driver.text(),
        lambda: tlsprofile.INTERMEDIATE,
    )
