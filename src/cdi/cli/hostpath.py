"""
Run the parts of the hostpath provisioner that nodes have in the foreground, until told to stop.

Elsewhere: its operator (`hostpathoperator`), whose code these do not load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import click
from aiohttp import web

from cdi.hostpath.metrics import DriverMetrics
from cdi.hostpath.mounter import Mounter, let_go
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
    run("driver", _driver(settings, kubeconfig, context, address), verbosity)


def run_mounter(mounter: Mounter, listen: tuple[str, int], verbosity: int) -> None:
    """Keep a claim mounted until SIGTERM."""
    run("mounter", _mounter(mounter, Address(*listen)), verbosity)


def run_unmount(target: Path, verbosity: int) -> None:
    """Take the mount of a claim away. Exits with EXIT_FAILED where it stays."""
    run("mounter", asyncio.to_thread(let_go, target), verbosity)


def run_provisioner(
    settings: LegacySettings, kubeconfig: str, context: str, verbosity: int
) -> None:
    """Run the legacy provisioner until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    run("provisioner", _provisioner(settings, kubeconfig, context), verbosity)


def run(name: str, work: Coroutine[Any, Any, None], verbosity: int) -> None:
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
    async with client_for(kubeconfig, context, metrics) as client:
        if settings.provisions:
            add_provisioner(manager, client, settings, keeper, metrics)
        if address is not None:
            of_driver = DriverMetrics(keeper, settings.socket.parent)
            manager.add(Group.SERVERS, _server(address, client, metrics, of_driver))
        await manager.run(stop)


async def _mounter(mounter: Mounter, address: Address) -> None:
    stop, manager = process.stop_on_signals(), Manager()
    health = Health({"mount": lambda: mounter.mounted})
    manager.add(Group.SERVERS, probes(address, health))
    manager.add(Group.CONTROLLERS, mounter)
    await manager.run(stop)


async def _provisioner(settings: LegacySettings, kubeconfig: str, context: str) -> None:
    stop, manager, metrics = process.stop_on_signals(), Manager(), ProcessMetrics()
    async with client_for(kubeconfig, context, metrics) as client:
        await add_legacy_provisioner(manager, client, settings, metrics)
        await manager.run(stop)


def client_for(kubeconfig: str, context: str, metrics: ProcessMetrics) -> Client:
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


def probes(address: Address, health: Health) -> WebServer:
    app = web.Application()
    app.router.add_routes(health.routes())
    return WebServer("probes", app, address, None, health, drain=0.0)
