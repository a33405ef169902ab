"""Boot sources against an API server: definitions, webhooks, and what a HyperConverged comes to."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cdi.api import labels
from cdi.bootsources import alerts, common, definitions, kinds
from cdi.bootsources.metrics import OVERWRITTEN, BootMetrics
from cdi.bootsources.setup import BootSources
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.manager import Manager
from cdi.kube.mergepatch import merged
from support.fakekube import FakeKube, Fault

HOME, GOLDEN, INSTALLATION = "hco", "kubevirt-os-images", "cdi"
CRD = "customresourcedefinitions"
VALIDATING = "validatingwebhookconfigurations"
MUTATING = "mutatingwebhookconfigurations"


@asynccontextmanager
async def client_of(server: FakeKube) -> AsyncIterator[Client]:
    async with Client.to(connection.direct(server.url), field_manager="test") as client:
        yield client


@asynccontextmanager
async def running(server: FakeKube, shown: BootMetrics | None = None) -> AsyncIterator[None]:
    """Boot sources, as a cluster has them."""
    async with client_of(server) as client:
        await definitions.ensure(client)
        manager, stop = Manager(), asyncio.Event()
        shipped = common.Shipped(common.shipped())
        BootSources(client, shipped, shown=shown, asking_in=INSTALLATION).add_to(manager)
        task = asyncio.ensure_future(manager.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


def hyperconverged(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "hco.kubevirt.io/v1",
        "kind": "HyperConverged",
        "metadata": {"name": "kubevirt-hyperconverged", "namespace": HOME},
        "spec": spec,
    }


def claim(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": GOLDEN}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta}


def authorities(text: str) -> dict[str, Any]:
    meta = {"name": "cdi-apiserver-signer-bundle", "namespace": INSTALLATION}
    data = {"ca-bundle.crt": text}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def until(server: FakeKube, condition) -> None:
    async with asyncio.timeout(60):
        await server.until(condition)


def play(scenario) -> None:
    async def whole() -> None:
        async with FakeKube() as server:
            await scenario(server)

    asyncio.run(whole())


def test_a_hyperconverged_becomes_crons_by_way_of_an_ssp_and_ends():
    async def scenario(server: FakeKube) -> None:
        async with running(server):
            server.put("hyperconvergeds", hyperconverged())
            await server.notify()
            await until(server, lambda: len(server.objects("dataimportcrons")) == 3)
            assert (HOME, "ssp-kubevirt-hyperconverged") in server.objects("ssps")
            assert ("", "cdi-kubevirt-hyperconverged") in server.objects("cdis")
            assert ("", GOLDEN) in server.objects("namespaces")

            found = server.objects("hyperconvergeds")[HOME, "kubevirt-hyperconverged"]
            async with client_of(server) as client:
                await client.delete(kinds.HYPERCONVERGEDS, "kubevirt-hyperconverged", HOME)
            assert found["metadata"]["finalizers"]
            await until(server, lambda: not server.objects("hyperconvergeds"))
            for plural in ("ssps", "dataimportcrons", "datasources", "roles", "networkpolicies"):
                assert server.objects(plural) == {}, plural
            assert ("", GOLDEN) not in server.objects("namespaces")
            assert ("", "cdi-kubevirt-hyperconverged") in server.objects("cdis")

    play(scenario)


def test_what_is_changed_in_the_ssp_is_changed_back_and_counted():
    shown = BootMetrics()

    def counted(value: float) -> bool:
        name = f'{OVERWRITTEN}{{component_name="ssp/ssp-kubevirt-hyperconverged"}}'
        return f"{name} {value}" in shown.text().decode()

    async def scenario(server: FakeKube) -> None:
        async with running(server, shown):
            server.put("hyperconvergeds", hyperconverged())
            await server.notify()
            key = (HOME, "ssp-kubevirt-hyperconverged")
            await until(server, lambda: key in server.objects("ssps"))
            await until(server, lambda: counted(0.0))
            ssp = server.objects("ssps")[key]
            server.put("ssps", {**ssp, "spec": {**ssp["spec"], "templateValidator": {}}})
            await server.notify()
            await until(
                server,
                lambda: server.objects("ssps")[key]["spec"]["templateValidator"] == {"replicas": 2},
            )
            await until(server, lambda: counted(1.0))

    play(scenario)


@pytest.mark.parametrize("opting", ["out", "in"])
def test_nobody_who_opts_out_or_in_is_overruled_by_a_pass_under_way(opting: str):
    """The label changes after a pass has looked, and before it writes."""
    place, cron = (GOLDEN, "fedora"), (GOLDEN, "fedora-image-cron")

    def marked(source: dict[str, Any], value: str | None) -> dict[str, Any]:
        label = {"metadata": {"labels": {labels.DATA_IMPORT_CRON: value}}}
        return merged(source, label)

    async def scenario(server: FakeKube) -> None:
        def source() -> dict[str, Any]:
            return server.objects("datasources")[place]

        def follows() -> bool:
            return cron in server.objects("dataimportcrons")

        def looked(since: int) -> bool:
            path = "/datasources/fedora"
            later = server.requests[since:]
            return any(each.verb == "patch" and each.path.endswith(path) for each in later)

        def put_claim(name: str) -> None:
            server.put("persistentvolumeclaims", claim(name))

        async def opt(value: str | None, beside: str) -> None:
            since = len(server.requests)
            made = server.put("datasources", marked(source(), value), silently=True)
            put_claim(beside)
            await server.notify()
            await until(server, lambda: looked(since))
            assert source()["metadata"]["labels"] == made["metadata"]["labels"]
            server.put("datasources", source())  # and now the watch tells
            await server.notify()

        async with running(server):
            server.put("hyperconvergeds", hyperconverged())
            await server.notify()
            await until(server, follows)
            if opting == "in":
                server.put("datasources", marked(source(), None))
                put_claim("fedora")
                await server.notify()
                await until(server, lambda: not follows())
                await opt("true", "other")
                await until(server, follows)
            else:
                await opt(None, "fedora")
                await until(server, lambda: not follows())

    play(scenario)


def test_alerts_are_beside_the_hyperconverged_where_anybody_reads_them():
    async def scenario(server: FakeKube) -> None:
        async with running(server):
            server.put("hyperconvergeds", hyperconverged())
            await server.notify()
            key = (HOME, alerts.NAME)
            await until(server, lambda: key in server.objects("prometheusrules"))
            (owner,) = server.objects("prometheusrules")[key]["metadata"]["ownerReferences"]
            assert owner["kind"] == "HyperConverged"

    play(scenario)


def test_a_cluster_without_prometheus_operator_is_well_without_alerts():
    async def scenario(server: FakeKube) -> None:
        server.faults.append(Fault("list", "/monitoring.coreos.com/", times=99, code=404))
        async with running(server):
            server.put("hyperconvergeds", hyperconverged())
            await server.notify()
            await until(server, lambda: len(server.objects("dataimportcrons")) == 3)
            assert server.objects("prometheusrules") == {}
            found = server.objects("hyperconvergeds")[HOME, "kubevirt-hyperconverged"]
            said = {each["type"]: each["status"] for each in found["status"]["conditions"]}
            assert said["Available"] == "True"

    play(scenario)


def test_definitions_are_made_where_nobody_has_brought_them():
    async def scenario(server: FakeKube) -> None:
        foreign = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "ssps.ssp.kubevirt.io"},
            "spec": {"group": "theirs"},
        }
        server.put(CRD, foreign)
        async with client_of(server) as client:
            await definitions.ensure(client)
            await definitions.ensure(client)
            assert not await definitions.are_ours(client)
        found = server.objects(CRD)
        assert found["", "ssps.ssp.kubevirt.io"]["spec"] == {"group": "theirs"}
        assert found["", "hyperconvergeds.hco.kubevirt.io"]["spec"]["group"] == "hco.kubevirt.io"

    play(scenario)


def test_kubernetes_asks_about_what_is_written_and_trusts_new_authorities():
    async def scenario(server: FakeKube) -> None:
        owner = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "cdi-bootsources"},
        }
        server.put("clusterroles", owner)
        server.put("configmaps", authorities("one"))

        def trusted(text: str) -> bool:
            hooks = [
                hook
                for plural in (VALIDATING, MUTATING)
                for each in server.objects(plural).values()
                for hook in each["webhooks"]
            ]
            wanted = base64.b64encode(text.encode()).decode()
            return len(hooks) == 3 and all(
                each["clientConfig"]["caBundle"] == wanted for each in hooks
            )

        async with running(server):
            await until(server, lambda: trusted("one"))
            server.put("configmaps", authorities("two"))
            await server.notify()
            await until(server, lambda: trusted("two"))
        (found,) = server.objects(MUTATING).values()
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("ClusterRole", "cdi-bootsources")
        (hook,) = found["webhooks"]
        assert hook["failurePolicy"] == "Ignore"
        assert hook["clientConfig"]["service"]["path"] == "/hyperconverged-mutate"

    play(scenario)
