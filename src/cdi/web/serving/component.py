"""What a process shows of itself when it serves nothing else: health and metrics, by TLS."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from cdi.kube.client import Client
from cdi.storage.tlsprofile import TLSProfile
from cdi.web.serving.health import Health
from cdi.web.serving.metrics import Scrapes, reviewed
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import SelfSigned, ServerTls


def component_server(
    name: str,
    address: Address,
    client: Client,
    health: Health,
    metrics: Callable[[], bytes],
    profile: Callable[[], TLSProfile],
) -> WebServer:
    """A server for probes and scrapers, with a certificate that neither of them verifies.

    It does not drain: nobody else's request would fail.
    """
    app = web.Application()
    app.router.add_routes(health.routes())
    app.router.add_routes(Scrapes(metrics, reviewed(client)).routes())
    tls = ServerTls(SelfSigned(name), profile=profile)
    return WebServer(name, app, address, tls, health, drain=0.0)
