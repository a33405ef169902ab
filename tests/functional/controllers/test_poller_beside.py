"""What a poller beside its cron finds there, asked of an API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cdi.controllers.dataimportcron import besides
from cdi.controllers.dataimportcron.seen import Beside
from cdi.kube import connection
from cdi.kube.client import Client
from support.fakekube import FakeKube, Fault

REGISTRY = {"url": "docker://r/x", "secretRef": "login", "certConfigMap": "authorities"}
CRON = {
    "metadata": {"name": "cron", "namespace": "ns"},
    "spec": {"schedule": "@daily", "template": {"spec": {"source": {"registry": REGISTRY}}}},
}
BUNDLE = {"metadata": {"name": "proxy", "namespace": "cdi"}, "data": {"ca.pem": "PEM"}}


def pod(phase: str = "Pending") -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "status": {"phase": phase}}


def named(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "ns"}}


def warned(message: str, at: str) -> dict[str, Any]:
    return {**named("Event", message.replace(" ", "-")), "message": message, "lastTimestamp": at}


SECRET, MAP = named("Secret", "login"), named("ConfigMap", "authorities")
COPY = named("ConfigMap", "import-proxy-cm-p")
TOLD = (
    warned("secret not found", "2030-01-01T00:00:02Z"),
    warned("no node", "2030-01-01T00:00:01Z"),
)
HIDDEN = {"verb": "get", "path": "/secrets/", "code": 403, "reason": "Forbidden", "times": 9}


@pytest.mark.parametrize(
    ("there", "faults", "found"),
    [
        pytest.param((SECRET, MAP), (), Beside(authorities=BUNDLE), id="all-there"),
        pytest.param(
            (SECRET,), (), Beside(("ConfigMap authorities",), authorities=BUNDLE), id="no-map"
        ),
        pytest.param(
            (),
            (),
            Beside(("Secret login", "ConfigMap authorities"), authorities=BUNDLE),
            id="nothing",
        ),
        pytest.param((SECRET, MAP, COPY), (), Beside(authorities=BUNDLE, copied=True), id="copied"),
        pytest.param(
            (MAP, *TOLD),
            (HIDDEN,),
            Beside(warning="secret not found", authorities=BUNDLE),
            id="secrets-are-not-ours-to-see",
        ),
        pytest.param((MAP,), (HIDDEN,), Beside(authorities=BUNDLE), id="nobody-has-said-anything"),
    ],
)
def test_what_a_waiting_poller_finds(there, faults, found):
    async def scenario() -> Beside:
        async with FakeKube() as server:
            for each in there:
                server.put(f"{each['kind'].lower()}s", each)
            server.faults += [Fault(**each) for each in faults]
            async with Client.to(connection.direct(server.url), field_manager="t") as client:
                return await besides.observe(client, CRON, pod(), BUNDLE)

    assert asyncio.run(scenario()) == found


def test_nothing_is_asked_about_a_poller_that_runs():
    async def scenario() -> tuple[Beside, int]:
        async with FakeKube() as server:
            async with Client.to(connection.direct(server.url), field_manager="t") as client:
                seen = await besides.observe(client, CRON, pod("Running"), None)
            return seen, len(server.requests)

    assert asyncio.run(scenario()) == (Beside(), 0)
