"""Claims and volumes of a cluster, with nodes that provision by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cdi.hostpath.csi.identity import Driver
from cdi.hostpath.keeper import Keeper
from cdi.hostpath.pools import MARKER, HostPool, PoolSettings
from cdi.hostpath.provisioning.capacities import Place
from cdi.hostpath.provisioning.claims import Rules
from cdi.hostpath.provisioning.legacy import LegacyBackend, LegacySettings
from cdi.hostpath.provisioning.provisioner import Provisioner
from cdi.hostpath.provisioning.watches import Watches
from cdi.hostpath.settings import DriverSettings
from cdi.hostpath.setup import add_legacy_provisioner, add_provisioner
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.events import Recorder
from cdi.kube.manager import Manager
from cdi.kube.objects import Key
from support.fakeclock import FakeClock
from support.fakekube import FakeKube

NAME = "kubevirt.io.hostpath-provisioner"
LEGACY = "kubevirt.io/hostpath-provisioner"
SELECTED = "volume.kubernetes.io/selected-node"
DATA = "external-provisioner.volume.kubernetes.io/finalizer"
TOO_MUCH = "1Ei"


class World:
    """A cluster whose binding controllers are played by the tests."""

    def __init__(self, server: FakeKube, home: Path) -> None:
        self.server, self.home = server, home

    def pool(self, node: str = "node-a") -> Path:
        return self.home / node / "local"

    def data(self, node: str = "node-a") -> list[str]:
        return sorted(each.name for each in self.pool(node).iterdir() if each.name[0] != ".")

    def storage_class(self, name: str, binding: str, provisioner: str = NAME, **rest: Any) -> None:
        self.server.put("storageclasses", {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": provisioner, "volumeBindingMode": binding,
            "parameters": {"storagePool": "local"}, **rest,
        })  # fmt: skip

    def claim(
        self, name: str, storage_class: str, provisioner: str = NAME, node: str = "", **spec: Any
    ) -> Any:
        noted = {"volume.kubernetes.io/storage-provisioner": provisioner}
        return self.server.put("persistentvolumeclaims", {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name, "namespace": "n",
                "annotations": noted | ({SELECTED: node} if node else {}),
            },
            "spec": {
                "storageClassName": storage_class, "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Mi"}}, **spec,
            },
            "status": {"phase": "Pending"},
        })  # fmt: skip

    def volumes(self) -> list[Any]:
        return list(self.server.objects("persistentvolumes").values())

    async def volume(self) -> Any:
        await self.until(lambda: len(self.volumes()) == 1)
        return self.volumes()[0]

    def bind(self, claim: str, volume: Any) -> None:
        found = self.server.objects("persistentvolumeclaims")["n", claim]
        capacity = volume["spec"]["capacity"]
        self.server.put("persistentvolumeclaims", {
            **found, "spec": {**found["spec"], "volumeName": volume["metadata"]["name"]},
            "status": {"phase": "Bound", "capacity": capacity},
        })  # fmt: skip
        self.server.put("persistentvolumes", {**volume, "status": {"phase": "Bound"}})

    def release(self, claim: str) -> None:
        """Delete a claim, and have its volume released."""
        uid = self.server.objects("persistentvolumeclaims")["n", claim]["metadata"]["uid"]
        self.server.drop("persistentvolumeclaims", claim, "n")
        for each in self.volumes():
            if each["spec"]["claimRef"]["uid"] == uid:
                self.server.put("persistentvolumes", {**each, "status": {"phase": "Released"}})

    def events(self) -> set[str]:
        return {each["reason"] for each in self.server.objects("events").values()}

    async def until(self, condition: Any) -> None:
        await self.server.notify()
        async with asyncio.timeout(30):
            await self.server.until(condition)

    @asynccontextmanager
    async def node(
        self, name: str = "node-a", legacy: bool = False, mounted: bool = False
    ) -> AsyncIterator[Keeper]:
        """A node that provisions; its pool is `mounted` by somebody else."""
        path = str(self.home / name / "local")
        keeper = Keeper([HostPool(PoolSettings(name="local", path=path, mounted=mounted))])
        await keeper.start()
        async with Client.to(connection.direct(self.server.url)) as client:
            manager, stop = Manager(), asyncio.Event()
            if legacy:
                self.server.put("nodes", {
                    "apiVersion": "v1", "kind": "Node",
                    "metadata": {"name": name, "labels": {"kubernetes.io/hostname": "host-a"}},
                })  # fmt: skip
                settings = LegacySettings(name, self.pool(name), prefix=True)
                await add_legacy_provisioner(manager, client, settings)
            else:
                driver = DriverSettings(
                    Driver(NAME, "1", name), Path("/none"), (), place=Place("ns")
                )
                add_provisioner(manager, client, driver, keeper)
            running = asyncio.ensure_future(manager.run(stop))
            try:
                yield keeper
            finally:
                stop.set()
                await running


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    async with FakeKube() as server:
        made = World(server, home)
        made.storage_class("waiting", "WaitForFirstConsumer")
        made.storage_class("at-once", "Immediate")
        yield made


def test_a_claim_gets_a_volume_on_its_node_and_takes_it_along(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node():
            claim = cluster.claim("c", "waiting", node="node-a")
            volume = await cluster.volume()
            name = f"pvc-{claim['metadata']['uid']}"
            assert cluster.data() == [name]
            assert volume["metadata"]["name"] == name
            assert volume["metadata"]["finalizers"] == [DATA]
            assert volume["spec"]["csi"] == {
                "driver": NAME, "volumeHandle": name, "volumeAttributes": {"storagePool": "local"},
            }  # fmt: skip
            term = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]
            assert term["matchExpressions"][0]["values"] == ["node-a"]
            assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
            cluster.bind("c", volume)
            cluster.release("c")
            await cluster.until(lambda: not cluster.volumes())
            assert cluster.data() == []

    asyncio.run(check())


def test_of_two_nodes_one_takes_a_claim_that_names_none(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node("node-a"), cluster.node("node-b"):
            for number in range(10):
                cluster.claim(f"c{number}", "at-once")
            await cluster.until(lambda: len(cluster.volumes()) == 10)
            there = cluster.data("node-a") + cluster.data("node-b")
            assert len(there) == 10

    asyncio.run(check())


def test_a_clone_is_made_where_its_source_is(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node("node-a"), cluster.node("node-b"):
            cluster.claim("source", "waiting", node="node-b")
            source = await cluster.volume()
            cluster.bind("source", source)
            (cluster.pool("node-b") / source["metadata"]["name"] / "file").write_text("content")
            ref = {"kind": "PersistentVolumeClaim", "name": "source"}
            clone = cluster.claim("clone", "at-once", dataSource=ref)
            await cluster.until(lambda: len(cluster.volumes()) == 2)
            made = cluster.pool("node-b") / f"pvc-{clone['metadata']['uid']}" / "file"
            assert made.read_text() == "content"

    asyncio.run(check())


def test_what_is_too_large_is_said_and_another_node_may_try(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node():
            request = {"requests": {"storage": TOO_MUCH}}
            cluster.claim("c", "waiting", node="node-a", resources=request)
            await cluster.until(lambda: "ProvisioningFailed" in cluster.events())

            def chosen() -> Any:
                found = cluster.server.objects("persistentvolumeclaims")["n", "c"]
                return found["metadata"]["annotations"].get(SELECTED)

            await cluster.until(lambda: chosen() is None)
            assert cluster.data() == []

    asyncio.run(check())


def test_a_claim_that_wants_more_gets_it(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node():
            cluster.claim("c", "waiting", node="node-a", volumeMode="Block")
            volume = await cluster.volume()
            cluster.bind("c", volume)
            found = cluster.server.objects("persistentvolumeclaims")["n", "c"]
            found["spec"]["resources"] = {"requests": {"storage": "3Mi"}}
            cluster.server.put("persistentvolumeclaims", found)

            def granted() -> Any:
                now = cluster.server.objects("persistentvolumeclaims")["n", "c"]
                return now["status"]["capacity"]["storage"]

            await cluster.until(lambda: granted() == "3Mi")
            disk = cluster.pool() / volume["metadata"]["name"] / "disk.img"
            assert disk.stat().st_size == 3 << 20
            assert cluster.volumes()[0]["spec"]["capacity"]["storage"] == "3Mi"

    asyncio.run(check())


def test_room_is_published_for_each_class(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node():
            cluster.storage_class("foreign", "Immediate", provisioner="x")
            found = cluster.server.objects
            await cluster.until(lambda: len(found("csistoragecapacities")) == 2)
            named = {each["storageClassName"] for each in found("csistoragecapacities").values()}
            assert named == {"waiting", "at-once"}
            cluster.server.drop("storageclasses", "at-once")
            await cluster.until(lambda: len(found("csistoragecapacities")) == 1)

    asyncio.run(check())


def test_room_of_a_pool_is_published_when_the_pool_is_there(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node(mounted=True):
            found = cluster.server.objects
            await cluster.until(
                lambda: any("capacities" in each.path for each in cluster.server.requests)
            )
            assert found("csistoragecapacities") == {}
            cluster.pool().mkdir(parents=True)
            (cluster.pool() / MARKER).touch()
            await cluster.until(lambda: len(found("csistoragecapacities")) == 2)

    asyncio.run(check())


def content(volume: str, **metadata: Any) -> Any:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {
            "name": "content",
            "finalizers": ["snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"],
            **metadata,
        },
        "spec": {
            "driver": NAME, "deletionPolicy": "Delete", "source": {"volumeHandle": volume},
            "volumeSnapshotRef": {"namespace": "n", "name": "s", "uid": "s1"},
        },
    }  # fmt: skip


def test_a_snapshot_is_taken_restored_and_removed_by_its_node(tmp_path: Path) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node("node-a"), cluster.node("node-b"):
            cluster.server.collection("snapshot.storage.k8s.io/v1", "volumesnapshotcontents")
            cluster.claim("c", "waiting", node="node-b")
            volume = await cluster.volume()
            name = volume["metadata"]["name"]
            (cluster.pool("node-b") / name / "file").write_text("content")
            cluster.server.put("volumesnapshotcontents", content(name))

            def status() -> Any:
                found = cluster.server.objects("volumesnapshotcontents")["", "content"]
                return found.get("status", {})

            await cluster.until(lambda: status().get("readyToUse"))
            assert status()["snapshotHandle"] == "snapshot-s1"
            assert status()["restoreSize"] == 1 << 20
            cluster.server.put("volumesnapshots", {
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                "metadata": {"name": "s", "namespace": "n"},
                "status": {"boundVolumeSnapshotContentName": "content", "readyToUse": True},
            })  # fmt: skip
            ref = {"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "s"}
            restored = cluster.claim("restored", "at-once", dataSource=ref)
            await cluster.until(lambda: len(cluster.volumes()) == 2)
            made = cluster.pool("node-b") / f"pvc-{restored['metadata']['uid']}" / "file"
            assert made.read_text() == "content"
            found = cluster.server.objects("volumesnapshotcontents")["", "content"]
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            going = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
            found["metadata"]["annotations"][going] = "yes"
            cluster.server.put("volumesnapshotcontents", found)
            await cluster.until(lambda: not cluster.server.objects("volumesnapshotcontents"))
            assert not list((cluster.pool("node-b") / ".snapshots").iterdir())

    asyncio.run(check())


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_the_legacy_provisioner_makes_and_removes_directories(tmp_path: Path, policy: str) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node(legacy=True):
            cluster.storage_class("old", "WaitForFirstConsumer", LEGACY, reclaimPolicy=policy)
            claim = cluster.claim("c", "old", LEGACY, node="node-a")
            volume = await cluster.volume()
            name = f"pvc-{claim['metadata']['uid']}"
            assert cluster.data() == [f"c-{name}"]
            assert volume["spec"]["hostPath"]["path"] == str(cluster.pool() / f"c-{name}")
            assert volume["spec"]["accessModes"] == ["ReadWriteOnce"]
            assert volume["spec"]["persistentVolumeReclaimPolicy"] == policy
            term = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]
            assert term["matchExpressions"] == [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host-a"]}
            ]
            noted = volume["metadata"]["annotations"]
            assert noted["hostPathProvisionerIdentity"] == LEGACY
            assert noted["kubevirt.io/provisionOnNode"] == "node-a"
            cluster.bind("c", volume)
            cluster.release("c")
            if policy == "Delete":
                await cluster.until(lambda: not cluster.volumes())
                assert cluster.data() == []
                return
            cluster.claim("other", "old", LEGACY, node="node-a")
            await cluster.until(lambda: len(cluster.volumes()) == 2)
            assert f"c-{name}" in cluster.data()

    asyncio.run(check())


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/etc"},
        {"path": "../../secret"},
        {"identity": "somebody"},
    ],
)
def test_the_legacy_provisioner_removes_nothing_that_is_not_its_own(
    tmp_path: Path, change: dict[str, str]
) -> None:
    async def check() -> None:
        async with world(tmp_path) as cluster, cluster.node(legacy=True):
            cluster.storage_class("old", "WaitForFirstConsumer", LEGACY)
            cluster.claim("c", "old", LEGACY, node="node-a")
            volume = await cluster.volume()
            if path := change.get("path"):
                volume["spec"]["hostPath"]["path"] = str(cluster.pool() / path)
            else:
                volume["metadata"]["annotations"]["hostPathProvisionerIdentity"] = "somebody"
            cluster.bind("c", volume)
            before = cluster.data()
            cluster.release("c")
            await cluster.until(lambda: "VolumeFailedDelete" in cluster.events())
            assert cluster.data() == before
            assert len(cluster.volumes()) == 1

    asyncio.run(check())


def orphan(policy: str = "Delete") -> Any:
    """A volume of a node that is not there, whose claim is gone."""
    return {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {
            "name": "pvc-1", "finalizers": [DATA],
            "annotations": {
                "pv.kubernetes.io/provisioned-by": LEGACY, "kubevirt.io/provisionOnNode": "node-z",
            },
        },
        "spec": {
            "claimRef": {"namespace": "n", "name": "c", "uid": "1"},
            "persistentVolumeReclaimPolicy": policy,
        },
        "status": {"phase": "Released"},
    }  # fmt: skip


@pytest.mark.parametrize(("policy", "returns", "goes"), [
    pytest.param("Delete", False, True, id="gone-for-good"),
    pytest.param("Delete", True, False, id="came-back"),
    pytest.param("Retain", False, False, id="kept"),
])  # fmt: skip
def test_volumes_of_vanished_nodes_go_after_a_while(policy: str, returns: bool, goes: bool) -> None:
    async def check() -> None:
        clock = FakeClock()
        async with FakeKube() as server, Client.to(connection.direct(server.url)) as client:
            server.put("persistentvolumes", orphan(policy))
            watches, stop = Watches.on(client, clock), asyncio.Event()
            running = [asyncio.ensure_future(each.run(stop)) for each in watches.all()]
            for each in watches.all():
                await each.ready()
            rules = Rules(LEGACY, "node-a", shares=False)
            backend = LegacyBackend(LegacySettings("node-a", Path("/none")), "node-a")
            recorder = Recorder(client, LEGACY, clock=clock)
            made = Provisioner(client, watches, backend, rules, recorder, clock)
            first = await made.reconcile_volume(Key("", "pvc-1"))
            assert ("", "pvc-1") in server.objects("persistentvolumes")
            if first is not None:
                await clock.advance(first.again_in or 0)
            if returns:
                server.put("nodes", {
                    "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-z"},
                })  # fmt: skip
            await made.reconcile_volume(Key("", "pvc-1"))
            assert (("", "pvc-1") not in server.objects("persistentvolumes")) == goes
            stop.set()
            await asyncio.gather(*running)

    asyncio.run(check())
