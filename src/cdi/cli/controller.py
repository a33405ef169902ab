"""
`cdi controller`: run CDI's controllers against a Kubernetes API server where `cdi crds` are known.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work: a lost lease, an
API server that it may not speak to. Whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import signal

import click

from cdi.cli import options
from cdi.controllers import settings as chosen
from cdi.controllers.setup import LEASE, controllers
from cdi.kube import connection, errors
from cdi.kube.client import Client
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager
from cdi.kube.transport import Settings
from cdi.web.metrics import ProcessMetrics, Server

_FIELD_MANAGER = "cdi-controller"
# A DataVolume costs about twenty writes, events among them; a hundred of them at once should
# not queue up behind our own caution. A server with priority and fairness defends itself.
_EAGERNESS = Settings(rate=200.0, burst=400)
_PORTS = 1 << 16


@click.command
@click.option("--worker-image", required=True, metavar="IMAGE", help="Image of the importer pods.")
@options.kubeconfig
@options.context
@click.option("--namespace", metavar="NAME", default="cdi", help="Namespace of the installation.")
@click.option(
    "--pull-policy",
    metavar="POLICY",
    default="IfNotPresent",
    help="When nodes pull the image.",
)
@click.option("--leader-elect", is_flag=True, help="Work only while no other process does.")
@options.stall_timeout
@click.option(
    "--metrics-listen",
    metavar="ADDRESS:PORT",
    default="",
    help="Where metrics are shown to whoever asks; nowhere if empty.",
)
@click.option("-v", "--verbosity", type=int, default=0, help="1 or more: debug.")
def command(
    worker_image: str,
    kubeconfig: str,
    context: str,
    namespace: str,
    pull_policy: str,
    leader_elect: bool,
    stall_timeout: float | None,
    metrics_listen: str,
    verbosity: int,
) -> None:
    """Run the controllers, until told to stop."""
    logging.basicConfig(
        level=logging.DEBUG if verbosity > 1 else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    settings = chosen.Settings(
        worker_image=worker_image,
        namespace=namespace,
        pull_policy=pull_policy,
        verbosity=max(verbosity, 1),
        stall_timeout=stall_timeout,
    )
    address = _address(metrics_listen) if metrics_listen else None
    try:
        asyncio.run(_run(kubeconfig, context, settings, address, leader_elect=leader_elect))
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi controller: {error}", err=True)
        raise click.exceptions.Exit(1) from None


async def _run(
    kubeconfig: str,
    context: str,
    settings: chosen.Settings,
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
        credentials, _EAGERNESS, field_manager=_FIELD_MANAGER, observer=metrics
    ) as client:
        manager = Manager()
        if metrics_address is not None:
            manager.add(Group.SERVERS, Server(metrics, *metrics_address))
        parts = await controllers(client, settings, metrics=metrics)
        elector = Elector(client, settings.namespace, LEASE) if leader_elect else None
        parts.add_to(manager, elector)
        await manager.run(stop)


def _address(text: str) -> tuple[str, int]:
    """Host and port of `ADDRESS:PORT`; an IPv6 address stands in brackets."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and int(port) < _PORTS):
        raise click.BadParameter(f"{text!r} is not ADDRESS:PORT", param_hint="--metrics-listen")
    return host.strip("[]"), int(port)
