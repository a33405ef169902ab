"""A session to the upload proxy reaches it under a name that only the cluster knows."""

import asyncio
import ssl

import aiohttp
import pytest
import yarl

from cdi.cli.uploads.proxy import Route
from cdi.cli.uploads.transport import answer_of, session_to
from support import authority, httpd

SERVICE = "cdi-uploadproxy.cdi.svc"


async def asked(route):
    async with session_to(route) as session, session.get(route.url("/healthz")) as answer:
        return await answer_of(answer)


@pytest.fixture
def served(tmp_path):
    """The port of a server whose certificate is the Service's, and the file of its authority."""
    signer = authority.Authority(tmp_path)
    with httpd.Server(signer.server_context(SERVICE)) as server:
        yield yarl.URL(server.put("/healthz", httpd.Blob(b"ok"))).port, signer.ca


def route_to(host, port, trusted, leads_to):
    base = yarl.URL.build(scheme="https", host=host, port=port)
    context = ssl.create_default_context(cafile=str(trusted))
    return Route(base, context, leads_to, through_environment=False)


def test_a_forwarded_port_is_known_by_the_services_certificate(served):
    answer = asyncio.run(asked(route_to(SERVICE, *served, "127.0.0.1")))
    assert (answer.status, answer.text) == (200, "ok")


def test_another_server_behind_it_is_not_believed(served):
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(asked(route_to("other.cdi.svc", *served, "127.0.0.1")))
