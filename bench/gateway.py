"""
An upload proxy as a process of its own, before one upload server of this machine.

It is the proxy of clusters but for where it looks: its claims are in an API of a few lines, and the
server is at the port that its file names. `python -m bench.gateway FOLDER` takes certificates and
the key of tokens from the folder, and writes the port where it listens there.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from cdi import pki
from cdi.api import annotations
from cdi.images.transfer import threads
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.server import Address
from cdi.web.serving.tls import Files
from cdi.web.tokens.keys import KeySet
from cdi.web.uploadproxy.endpoints import Endpoint
from cdi.web.uploadproxy.identity import Identity
from cdi.web.uploadproxy.server import Parts, Settings, upload_proxy

NAMESPACE: Final = "bench"
CLAIM: Final = "disk"
HOST: Final = "upload-server"  # in certificates, of both
PORT_FILE: Final = "gateway-port"
SERVER_PORT_FILE: Final = "upload-port"
KEY_FILE: Final = "token.key"

_TARGET: Final = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": CLAIM,
        "namespace": NAMESPACE,
        "annotations": {annotations.UPLOAD_TARGET: "", annotations.POD_READY: "true"},
    },
}


class _Here:
    """The upload server of this machine, which is another one for each upload."""

    def __init__(self, folder: Path) -> None:
        self._port_file = folder / SERVER_PORT_FILE

    async def locate(self, namespace: str, service: str) -> Endpoint:
        del namespace, service
        return Endpoint("127.0.0.1", int(self._port_file.read_text()), HOST)


@contextlib.asynccontextmanager
async def _api() -> AsyncIterator[str]:
    """Serve the one claim that there is; yield the address."""

    async def claim(request: web.Request) -> web.Response:
        del request
        return web.json_response(_TARGET)

    app = web.Application()
    app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/{CLAIM}", claim)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _serve(folder: Path) -> None:
    def text_of(name: str) -> str:
        return (folder / name).read_text(encoding="ascii")

    async def identity() -> Identity:
        return Identity(text_of("client.crt"), text_of("client.key"), text_of("ca.crt"))

    key = pki.parse_rsa_private(text_of(KEY_FILE))
    stop = process.stop_on_signals()
    async with _api() as url, Client.to(connection.direct(url, "token")) as client:
        keys = KeySet(None, (key.public_key(),))
        parts = Parts(client, _Here(folder), keys, identity, ProcessMetrics())
        shown = Files(folder / "server.crt", folder / "server.key")
        proxy = upload_proxy(parts, Settings(Address("127.0.0.1", 0), shown, drain=0.0))
        serving = asyncio.create_task(proxy.run(stop))
        await proxy.ready()
        (folder / PORT_FILE).write_text(str(proxy.port))
        await serving


if __name__ == "__main__":
    threads.keep_buffers()
    asyncio.run(_serve(Path(sys.argv[1])))
