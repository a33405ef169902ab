"""The operator against an API server: what becomes of HostPathProvisioners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cdi.hostpath.operator import certificate, kinds
from cdi.hostpath.operator.certificate import WebhookCertificate
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.setup import operator
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.clock import SystemClock
from cdi.kube.manager import Group, Manager
from support.fakekube import FakeKube, Fault

NAMESPACE = "hpp"
DRIVER = "hostpath-provisioner-csi"
POOLS = {"storagePools": [{"name": "local", "path": "/var/hpp"}]}


class World:
    """A cluster without kubelet and garbage collector; the tests play both."""

    def __init__(self, server: FakeKube) -> None:
        self.server, self.readiness = server, list[int]()

    def create(self, name: str = "hpp", created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Any:
        return self.server.put("hostpathprovisioners", {
            "apiVersion": "hostpathprovisioner.kubevirt.io/v1beta1",
            "kind": "HostPathProvisioner",
            "metadata": {"name": name, "creationTimestamp": created},
            "spec": spec or POOLS,
        })  # fmt: skip

    def found(self, plural: str, name: str, namespace: str = NAMESPACE) -> Any:
        return self.server.objects(plural).get((namespace, name))

    def provisioner(self, name: str = "hpp") -> Any:
        return self.found("hostpathprovisioners", name, "")

    def reason(self, condition: str, name: str = "hpp") -> str | None:
        status = (self.provisioner(name) or {}).get("status", {})
        listed = status.get("conditions", [])
        return next((each["reason"] for each in listed if each["type"] == condition), None)

    def start_pods(self, name: str = DRIVER) -> None:
        found = self.found("daemonsets", name)
        status = {"desiredNumberScheduled": 2, "numberReady": 2, "updatedNumberScheduled": 2}
        self.server.put("daemonsets", {**found, "status": status})

    async def until(self, condition: Any) -> None:
        await self.server.notify()
        async with asyncio.timeout(30):
            await self.server.until(condition)

    async def installed(self) -> None:
        await self.until(lambda: self.found("daemonsets", DRIVER))
        self.start_pods()
        await self.until(lambda: self.reason("Available") == "Complete")


@asynccontextmanager
async def world(server: FakeKube | None = None, version: str = "v1.2.3") -> AsyncIterator[World]:
    """An operator that runs."""
    if server is None:
        async with FakeKube() as server, world(server, version) as found:
            yield found
        return
    found = World(server)
    settings = Settings(
        namespace=NAMESPACE, version=version, driver_image="cdi:1", provisioner_image="cdi:1"
    )
    async with Client.to(connection.direct(server.url)) as client:
        manager, stop = Manager(), asyncio.Event()
        keeper = WebhookCertificate(client, settings, SystemClock())
        manager.add(Group.SUPPORT, keeper)
        operator(client, settings, readiness=found.readiness.append).add_to(manager)
        running = asyncio.ensure_future(manager.run(stop))
        try:
            yield found
        finally:
            stop.set()
            await running


def test_an_object_becomes_an_installation_and_is_kept() -> None:
    async def check() -> None:
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            status = cluster.provisioner()["status"]
            assert status["observedVersion"] == "v1.2.3"
            assert status["storagePoolStatuses"] == [{"name": "local", "phase": "Ready"}]
            assert cluster.provisioner()["metadata"]["finalizers"] == [kinds.FINALIZER]
            await cluster.until(lambda: 1 in cluster.readiness)
            # Somebody takes something away, and changes something else.
            cluster.server.drop("csidrivers", "kubevirt.io.hostpath-provisioner")
            changed = cluster.found("daemonsets", DRIVER)
            changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
            cluster.server.put("daemonsets", changed)
            await cluster.until(
                lambda: cluster.found("csidrivers", "kubevirt.io.hostpath-provisioner", "")
            )

            def image() -> Any:
                found = cluster.found("daemonsets", DRIVER)
                return found["spec"]["template"]["spec"]["containers"][0]["image"]

            await cluster.until(lambda: image() == "cdi:1")

    asyncio.run(check())


def test_a_path_becomes_pools_and_the_legacy_provisioner_goes() -> None:
    async def check() -> None:
        async with world() as cluster:
            cluster.create(pathConfig={"path": "/var/hpp"})
            await cluster.until(lambda: cluster.found("daemonsets", "hostpath-provisioner"))
            changed = cluster.provisioner()
            changed["spec"] = POOLS
            cluster.server.put("hostpathprovisioners", changed)
            await cluster.until(lambda: not cluster.found("daemonsets", "hostpath-provisioner"))
            assert cluster.found("daemonsets", DRIVER)

    asyncio.run(check())


def test_deletion_takes_away_what_was_made_and_lets_go() -> None:
    async def check() -> None:
        async with world() as cluster:
            cluster.create()
            await cluster.installed()
            volume = {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pvc-1"},
            }  # fmt: skip
            cluster.server.put("persistentvolumes", volume)
            going = cluster.provisioner()
            going["metadata"]["deletionTimestamp"] = "2026-02-01T00:00:00Z"
            cluster.server.put("hostpathprovisioners", going)
            await cluster.until(lambda: cluster.provisioner() is None)
            assert not cluster.found("daemonsets", DRIVER)
            for plural in ("csidrivers", "clusterroles", "clusterrolebindings"):
                assert not cluster.server.objects(plural)
            assert cluster.found("persistentvolumes", "pvc-1", "")

    asyncio.run(check())


def test_another_operator_upgrades_and_an_older_one_refuses() -> None:
    async def check() -> None:
        async with FakeKube() as server:
            async with world(server, "v1.0.0") as cluster:
                cluster.create()
                await cluster.installed()
            async with world(server, "v2.0.0") as cluster:
                await cluster.until(
                    lambda: cluster.provisioner()["status"]["observedVersion"] == "v2.0.0"
                )
            async with world(server, "v1.0.0") as cluster:
                await cluster.until(lambda: cluster.reason("Degraded") == "OperatorDowngraded")

    asyncio.run(check())


def test_there_is_one() -> None:
    async def check() -> None:
        async with world() as cluster:
            cluster.create()
            cluster.create("second", "2026-02-01T00:00:00Z")
            await cluster.installed()
            await cluster.until(
                lambda: cluster.reason("Degraded", "second") == "MultipleProvisioners"
            )
            cluster.server.drop("hostpathprovisioners", "second")

    asyncio.run(check())


def test_what_cannot_be_made_is_said_and_tried_again() -> None:
    async def check() -> None:
        async with world() as cluster:
            cluster.server.faults.append(Fault("create", "csidrivers", times=100, code=403))
            cluster.create()
            await cluster.until(lambda: cluster.reason("Degraded") == "ReconcileFailed")
            assert cluster.found("daemonsets", DRIVER)  # one failure holds up nothing else
            cluster.server.faults.clear()
            await cluster.installed()

    asyncio.run(check())


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_webhook_has_a_certificate_of_its_own(spoilt: bool) -> None:
    async def check() -> None:
        async with FakeKube() as server:
            if spoilt:
                server.put("secrets", {
                    "apiVersion": "v1", "kind": "Secret", "data": {"tls.crt": "bm9uc2Vuc2U="},
                    "metadata": {"name": certificate.SECRET, "namespace": NAMESPACE},
                })  # fmt: skip
            async with world(server) as cluster:
                name = certificate.CONFIGURATION
                await cluster.until(
                    lambda: cluster.found("validatingwebhookconfigurations", name, "")
                )
                hook = cluster.found("validatingwebhookconfigurations", name, "")["webhooks"][0]
                secret = cluster.found("secrets", certificate.SECRET)
                assert hook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
                assert hook["failurePolicy"] == "Fail"

    asyncio.run(check())
