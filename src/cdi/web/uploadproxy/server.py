"""
The place where uploads will arrive: it is reached, by its own certificate, and takes none yet.

Installations have a Deployment of this name that others wait for. Whoever tries to upload gets
503 with the reason, which `virtctl` shows.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from cdi.api import labels
from cdi.storage import tlsprofile
from cdi.web import statuses
from cdi.web.serving.health import Health
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import Files, ServerTls

_NOT_YET: Final = (
    "uploads are not there yet: this version of CDI imports and clones, but takes no uploads; "
    "put the image where it can be fetched, and make a DataVolume that imports it"
)


def upload_proxy(address: Address, certificate: Files) -> WebServer:
    """The server, as a part for a manager."""
    health = Health()
    app = web.Application()
    app.router.add_routes(health.routes())
    app.router.add_route("*", "/{anything:.*}", _refuse)
    tls = ServerTls(certificate, profile=lambda: tlsprofile.INTERMEDIATE)
    return WebServer(labels.UPLOAD_PROXY, app, address, tls, health)


async def _refuse(request: web.Request) -> web.StreamResponse:
    del request
    refused = statuses.Refused(503, "ServiceUnavailable", _NOT_YET)
    return web.json_response(refused.body(), status=refused.code)
