"""Run the parts of the hostpath provisioner in the foreground, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from aiohttp import web

from cdi.hostpath.metrics import DriverMetrics, OperatorMetrics
from cdi.hostpath.mounter import Mounter, let_go
from cdi.hostpath.operator import validation
from cdi.hostpath.operator.certificate import CONFIGURATION, PATH, WebhookCertificate
from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.kinds import PROVISIONERS
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.setup import operator as operator_of
from cdi.hostpath.provisioning.legacy import LegacySettings
from cdi.hostpath.settings import DriverSettings
from cdi.hostpath.setup import add_driver, add_legacy_provisioner, add_provisioner
from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import SystemClock
from cdi.kube.manager import Group, Manager
from cdi.kube.transport import Settings as TransportSettings
from cdi.storage import tlsprofile
from cdi.web.admission import decision
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Seen
from cdi.web.admission.registry import Registration
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest
from cdi.web.apiserver import answers
from cdi.web.apiserver.webhooks import Webhooks
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import ServerTls

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


def run_mounter(mounter: Mounter, listen: tuple[str, int], verbosity: int) -> None:
    """Keep a claim mounted until SIGTERM."""
    _run("mounter", _mounter(mounter, Address(*listen)), verbosity)


def run_unmount(target: Path, verbosity: int) -> None:
    """Take the mount of a claim away. Exits with EXIT_FAILED where it stays."""
    _run("mounter", asyncio.to_thread(let_go, target), verbosity)


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


async def _mounter(mounter: Mounter, address: Address) -> None:
    stop, manager = process.stop_on_signals(), Manager()
    health = Health({"mount": lambda: mounter.mounted})
    manager.add(Group.SERVERS, _probes(address, health))
    manager.add(Group.CONTROLLERS, mounter)
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


def run_operator(
    settings: Settings, kubeconfig: str, context: str, addresses: OperatorAddresses
) -> None:
    """Run the operator until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    _run("operator", _operator(settings, kubeconfig, context, addresses), settings.verbosity)


@dataclass(frozen=True, slots=True)
class OperatorAddresses:
    """Where the operator listens."""

    metrics: Address
    health: Address
    webhook: Address


async def _operator(
    settings: Settings, kubeconfig: str, context: str, addresses: OperatorAddresses
) -> None:
    stop, manager, metrics = process.stop_on_signals(), Manager(), ProcessMetrics()
    own = OperatorMetrics()
    async with _client(kubeconfig, context, metrics) as client:
        operator = operator_of(client, settings, metrics=metrics, readiness=own.readiness)
        certificate = WebhookCertificate(client, settings, SystemClock())
        health = Health({"caches": lambda: operator.synced})
        scraped = component_server(
            marks.OPERATOR_NAME,
            addresses.metrics,
            client,
            Health(),
            lambda: metrics.text() + own.text(),
            lambda: tlsprofile.INTERMEDIATE,
        )
        webhook = _webhook(addresses.webhook, certificate, metrics)
        manager.add(Group.SUPPORT, certificate)
        manager.add(Group.SERVERS, scraped, webhook, _probes(addresses.health, health))
        operator.add_to(manager)
        await manager.run(stop)


def _probes(address: Address, health: Health) -> WebServer:
    app = web.Application()
    app.router.add_routes(health.routes())
    return WebServer("probes", app, address, None, health, drain=0.0)


def _webhook(
    address: Address, certificate: WebhookCertificate, metrics: ProcessMetrics
) -> WebServer:
    registration = Registration(
        webhook=CONFIGURATION,
        path=PATH,
        resources=(str(PROVISIONERS),),
        operations=frozenset({CREATE, UPDATE}),
        mutates=False,
        rule=_judged,
    )
    app = web.Application(client_max_size=answers.LARGEST_BODY)
    hooks = Webhooks((registration,), _nothing_to_look_up, answers.Bodies(), metrics)
    app.router.add_routes(hooks.routes())
    return WebServer("webhook", app, address, ServerTls(certificate), Health())


def _judged(request: AdmissionRequest, seen: Seen) -> Decision:
    del seen
    if request.object is None or objects.is_deleting(request.object):
        return decision.allow()  # one that goes may always let go
    found = validation.problems(request.object)
    causes = [decision.Cause(each, each.split(" ")[0]) for each in found]
    return decision.reject(causes) if causes else decision.allow()


async def _nothing_to_look_up(_: object) -> None:
    raise NotImplementedError("the rule needs no answers")
