"""
Run CDI's controllers in the foreground, against an API server where `cdi crds` are known.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work: a lost lease, an
API server that it may not speak to. Whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import click

from cdi.cli import readyfile
from cdi.controllers import storagemetrics
from cdi.controllers.settings import Settings
from cdi.controllers.setup import LEASE, Parts, controllers
from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.leader import Elector
from cdi.kube.manager import Group, Manager, Work
from cdi.kube.transport import Settings as TransportSettings
from cdi.storage import tlsprofile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process, tls
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer
from cdi.web.tokens.clones import CloneTokens
from cdi.web.tokens.mounted import MountedKeys

EXIT_FAILED: Final = 1
_FIELD_MANAGER: Final = "cdi-controller"
# A DataVolume costs about twenty writes, events among them; a hundred of them at once should
# not queue up behind our own caution. A server with priority and fairness defends itself.
_RATE_LIMIT: Final = TransportSettings(rate=200.0, burst=400)


def run(
    kubeconfig: str,
    context: str,
    settings: Settings,
    listen: tuple[str, int] | None,
    *,
    leader_elect: bool,
    token_keys: Path,
    ready_file: Path | None = None,
) -> None:
    """Run the controllers until SIGTERM. Exits with EXIT_FAILED where they cannot go on."""
    process.log_to_stderr(settings.verbosity)
    tls.keep_connections_small()
    address = Address(*listen) if listen else None
    try:
        asyncio.run(
            _run(
                kubeconfig,
                context,
                settings,
                address,
                leader_elect=leader_elect,
                ready_file=ready_file,
                token_keys=token_keys,
            )
        )
    except (errors.KubeError, OSError) as error:
        click.echo(f"cdi controller: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(
    kubeconfig: str,
    context: str,
    settings: Settings,
    address: Address | None,
    *,
    leader_elect: bool,
    ready_file: Path | None,
    token_keys: Path,
) -> None:
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    metrics = ProcessMetrics()
    async with Client.to(
        credentials, _RATE_LIMIT, field_manager=_FIELD_MANAGER, observer=metrics
    ) as client:
        manager = Manager()
        tokens = CloneTokens(MountedKeys(token_keys))
        parts = await controllers(
            client, settings, metrics=metrics, tokens=tokens, outdated=metrics
        )
        if address is not None:
            manager.add(Group.SERVERS, _server(address, client, parts, metrics))
        elector = Elector(client, settings.namespace, LEASE) if leader_elect else None
        parts.add_to(manager, elector)
        shown = Work("storage metrics", _showing_storage(parts, metrics))
        manager.add(Group.LEADER if elector else Group.CONTROLLERS, shown)
        if ready_file is not None:
            manager.add(Group.CONTROLLERS, Work("ready file", readyfile.showing(ready_file)))
        manager.add(Group.CONTROLLERS, Work("settled", process.settle))
        await manager.run(stop)


def _showing_storage(
    parts: Parts, metrics: ProcessMetrics
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Only whoever leads shows it: two would be counted twice."""
    cluster = parts.watches.cluster

    async def show(stop: asyncio.Event) -> None:
        hide = metrics.follow_storage(
            lambda: storagemetrics.pending(cluster), lambda: storagemetrics.profiles(cluster)
        )
        try:
            await stop.wait()
        finally:
            hide()

    return show


def _server(address: Address, client: Client, parts: Parts, metrics: ProcessMetrics) -> WebServer:
    """A follower is ready, too: it waits for the lease with full caches."""
    watches = parts.watches
    health = Health({"caches": lambda: all(each.synced for each in watches.informers)})
    return component_server(
        "cdi-deployment",
        address,
        client,
        health,
        metrics.text,
        lambda: tlsprofile.profile_for(objects.get(watches.cluster.config, "spec")),
    )
