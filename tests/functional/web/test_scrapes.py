"""Metrics are for those whom Kubernetes knows and allows."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
from aiohttp import web

from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.connection import Credentials
from cdi.kube.transport import Settings
from cdi.storage.tlsprofile import INTERMEDIATE
from cdi.web.serving.component import component_server
from cdi.web.serving.health import Health
from cdi.web.serving.metrics import Scrapes, asked_as_bearer
from cdi.web.serving.server import Address, WebServer
from cdi.web.serving.tls import SelfSigned, ServerTls
from support import apiserver
from support.serving import session

Way = Callable[[Client, Credentials], WebServer]
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        for name in ("prometheus", "curious"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            running.create(ACCOUNTS, account)
        rule = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
        role = {"metadata": {"name": "metrics-reader"}, "rules": [rule]}
        running.create(f"{RBAC}/clusterroles", role)
        binding = {
            "metadata": {"name": "metrics-reader"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "metrics-reader",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": "default"}],
        }
        running.create(f"{RBAC}/clusterrolebindings", binding)
        yield running


def _token(server: apiserver.Running, account: str) -> str:
    made = server.request("POST", f"{ACCOUNTS}/{account}/token", {"spec": {}})
    return made.json["status"]["token"]


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _by_review(client: Client, _: Credentials) -> WebServer:
    """As components are scraped whose role lets them ask about tokens."""
    return component_server(
        "test",
        Address("127.0.0.1", 0),
        client,
        Health(),
        lambda: b"up 1\n",
        lambda: INTERMEDIATE,
    )


def _as_bearer(_: Client, credentials: Credentials) -> WebServer:
    """As components are scraped whose role lets them ask about nobody."""
    app = web.Application()
    app.router.add_routes(Scrapes(lambda: b"up 1\n", asked_as_bearer(credentials)).routes())
    tls = ServerTls(SelfSigned("test"), profile=lambda: INTERMEDIATE)
    return WebServer("test", app, Address("127.0.0.1", 0), tls, Health(), drain=0.0)


WAYS = pytest.mark.parametrize("way", [_by_review, _as_bearer])


async def _scraped(
    way: Way, where: tuple[str, str, str], headers: dict[str, str]
) -> tuple[int, str]:
    credentials = connection.direct(*where)
    async with Client.to(credentials, Settings(attempts=1)) as client:
        shown = way(client, credentials)
        stop = asyncio.Event()
        running = asyncio.ensure_future(shown.run(stop))
        await shown.ready()
        async with session(_unverified()) as one:
            address = f"https://127.0.0.1:{shown.port}/metrics"
            async with one.get(address, headers=headers) as answer:
                found = answer.status, await answer.text()
        stop.set()
        await running
        return found


@WAYS
@pytest.mark.parametrize(
    ("account", "status", "text"),
    [
        pytest.param("prometheus", 200, "up 1\n", id="allowed"),
        pytest.param("curious", 403, "you may not get /metrics\n", id="known-but-not-allowed"),
        pytest.param("", 401, "a bearer token is needed\n", id="no-token"),
        pytest.param(None, 401, "the token is not valid\n", id="nobodys-token"),
    ],
)
def test_metrics_are_shown_to_those_whom_kubernetes_allows(server, way, account, status, text):
    headers = {}
    if account != "":
        token = "rubbish" if account is None else _token(server, account)
        headers["Authorization"] = f"Bearer {token}"
    where = (server.url, server.token, str(server.kubeconfig.parent / "pki" / "ca.crt"))
    assert asyncio.run(_scraped(way, where, headers)) == (status, text)


@WAYS
def test_nobody_gets_metrics_while_the_api_server_cannot_be_asked(way):
    where = ("https://127.0.0.1:1", "x", "")
    found = asyncio.run(_scraped(way, where, {"Authorization": "Bearer x"}))
    assert found == (503, "the API server cannot be asked who you are\n")
