"""The certificate of the API server's process is its Secret's, without waiting for a kubelet."""

import asyncio
import base64
from pathlib import Path

from aiohttp import web

from cdi import pki
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.web.apiserver.servingcertificate import FollowedSecret
from cdi.web.serving.tls import ServerTls
from support import serving
from support.fakekube import FakeKube
from support.serving import asked_anew, client_context, connected, server_pair, written

NAME = "cdi-apiserver-server-cert"


def secret(certificate: str, key: str) -> dict:
    data = {"tls.crt": certificate, "tls.key": key}
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    metadata = {"name": NAME, "namespace": "cdi"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def of(pair: pki.Pair) -> dict:
    return secret(pair.certificate, pair.key)


def test_the_secret_counts_and_not_what_is_mounted(tmp_path: Path) -> None:
    async def play() -> None:
        signer = serving.authority()
        mounted, first, second = (server_pair(signer) for _ in range(3))
        files = written(tmp_path, mounted)
        context = client_context(signer)
        async with (
            FakeKube() as kube,
            Client.to(connection.direct(kube.url)) as client,
        ):
            followed = FollowedSecret(client, "cdi", NAME, files)
            stop = asyncio.Event()
            async with serving.serving(web.Application(), ServerTls(followed)) as served:

                async def shows(pair: pki.Pair) -> bool:
                    async with connected(served, client_context(signer)) as now:
                        return now.serial == pair.leaf.serial_number

                assert await shows(mounted)
                kube.put("secrets", of(first))
                heard: asyncio.Queue[str] = asyncio.Queue()
                followed.informer.on_change(lambda change: heard.put_nowait(""))
                running = asyncio.ensure_future(followed.informer.run(stop))
                await heard.get()
                assert await shows(first)
                async with connected(served, context) as kept:
                    kube.put("secrets", of(second))
                    await kube.notify()
                    await heard.get()
                    assert await shows(second)
                    assert await kept.get("/healthz") == 200
                for broken in (secret("", ""), secret(first.certificate, second.key)):
                    kube.put("secrets", broken)
                    await kube.notify()
                    await heard.get()
                    assert await shows(second)
                assert await asked_anew(client_context(signer), served.url("/readyz")) == 200
                stop.set()
                await running

    asyncio.run(play())
