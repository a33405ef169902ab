"""Claims and volumes on one machine: the real API server, real directories."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from cdi.kube import objects
from cdi.kube.client import Patch
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from cdi.kube.resource import PERSISTENT_VOLUMES as VOLUMES
from cdi.kube.resource import PODS, STORAGE_CLASSES
from cdi.standalone.agent import node
from support import worker
from support.loop import in_loop
from support.machine import NAMESPACE, Machine, claim, importer, phase

MIB = 1 << 20


def foreign(name: str) -> Object:
    pod = importer(name, worker.order())
    pod["spec"]["containers"][0]["image"] = "quay.io/someone/else:1"
    return pod


def by_hand(name: str, folder: Path, size: str = "1Gi", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder)},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "manual",
            **spec,
        },
    }


@in_loop
async def test_a_claim_gets_a_directory_which_goes_with_it(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        name = bound["spec"]["volumeName"]
        volume = await one.until(VOLUMES, name, phase("Bound"))
        directory = one.pool.directory(name)
        assert name == f"pvc-{objects.uid(bound)}"
        assert bound["spec"]["storageClassName"] == "local"
        assert bound["status"]["capacity"] == {"storage": "32Mi"}
        assert bound["status"]["accessModes"] == ["ReadWriteOnce"]
        assert volume["spec"]["local"]["path"] == str(directory)
        assert directory.is_dir()
        assert await one.event("a", "ProvisioningSucceeded") == (
            f"Successfully provisioned volume {name}"
        )
        await one.client.delete(CLAIMS, "a", NAMESPACE)
        await one.gone(VOLUMES, name)
        assert not directory.exists()
        assert not await one.exists(CLAIMS, "a")


@in_loop
async def test_a_block_volume_is_a_file_of_its_size_and_grows(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a", volumeMode="Block"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        disk = one.pool.directory(bound["spec"]["volumeName"]) / "disk.img"
        assert disk.stat().st_size == 32 * MIB
        larger = {"spec": {"resources": {"requests": {"storage": "64Mi"}}}}
        await one.client.patch(CLAIMS, "a", NAMESPACE, larger, Patch.MERGE)
        await one.until(
            CLAIMS, "a", lambda it: objects.get(it, "status", "capacity", "storage") == "64Mi"
        )
        assert disk.stat().st_size == 64 * MIB


@in_loop
async def test_a_claim_waits_for_its_first_consumer_even_a_foreign_one(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a", storageClassName="local-wffc"))
        assert await one.event("a", "WaitForFirstConsumer") == (
            "waiting for first consumer to be created before binding"
        )
        assert not list(one.pool.directory("x").parent.glob("pvc-*"))
        await one.create(foreign("a"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        selected = objects.annotations(bound)["volume.kubernetes.io/selected-node"]
        assert selected == "cdi-local"


@in_loop
async def test_a_volume_made_by_hand_is_bound_kept_and_released(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        for name, size in (("small", "16Mi"), ("large", "2Gi"), ("fits", "1Gi")):
            await one.client.create(VOLUMES, by_hand(name, tmp_path, size))
            await one.until(VOLUMES, name, phase("Available"))
        await one.create(claim("a", storageClassName="manual"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        assert bound["spec"]["volumeName"] == "fits"
        assert bound["status"]["capacity"] == {"storage": "1Gi"}
        await one.client.delete(CLAIMS, "a", NAMESPACE)
        await one.until(VOLUMES, "fits", phase("Released"))


@in_loop
async def test_a_volume_promised_to_a_claim_waits_for_it(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        promise = {"namespace": NAMESPACE, "name": "a"}
        await one.client.create(VOLUMES, by_hand("promised", tmp_path, claimRef=promise))
        await one.create(claim("other", storageClassName="manual"))
        await one.create(claim("a", storageClassName="manual"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        assert bound["spec"]["volumeName"] == "promised"
        assert (await one.client.get(CLAIMS, "other", NAMESPACE))["status"]["phase"] == "Pending"


@in_loop
async def test_a_volume_that_is_handed_on_leaves_its_former_claim_lost(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("prime"))
        bound = await one.until(CLAIMS, "prime", phase("Bound"))
        name = bound["spec"]["volumeName"]
        target = await one.create(
            claim("target", dataSourceRef={
                "apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "s",
            })
        )  # fmt: skip
        handed = {"namespace": NAMESPACE, "name": "target", "uid": objects.uid(target)}
        (one.pool.directory(name) / "disk.img").write_text("content")
        while True:
            volume = await one.client.get(VOLUMES, name)
            volume["spec"]["claimRef"] = {"kind": "PersistentVolumeClaim", **handed}
            try:
                await one.client.update(VOLUMES, volume)
            except Exception:  # noqa: BLE001 - the binder writes it too
                continue
            break
        taken = await one.until(CLAIMS, "target", phase("Bound"))
        await one.until(CLAIMS, "prime", phase("Lost"))
        await one.client.delete(CLAIMS, "prime", NAMESPACE)
        await one.gone(CLAIMS, "prime")
        assert taken["spec"]["volumeName"] == name
        assert (one.pool.directory(name) / "disk.img").read_text() == "content"


@in_loop
async def test_a_claim_in_use_is_not_removed(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        await one.until(CLAIMS, "a", phase("Bound"))
        await one.create({**(pod := foreign("a")), "spec": {**pod["spec"], "nodeName": node.NAME}})
        await one.until(PODS, "a", phase("Pending"))
        await one.client.delete(CLAIMS, "a", NAMESPACE)
        await one.until(CLAIMS, "a", objects.is_deleting)
        assert await one.exists(CLAIMS, "a")
        await one.client.delete(PODS, "a", NAMESPACE)
        await one.gone(CLAIMS, "a")


@in_loop
async def test_a_claim_stays_while_a_pod_names_it_that_is_over(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        await one.until(CLAIMS, "a", phase("Bound"))
        pod = foreign("a")
        made = await one.create({**pod, "spec": {**pod["spec"], "nodeName": node.NAME}})
        over = {"status": {"phase": "Succeeded"}}
        await one.client.patch(
            PODS, objects.name(made), NAMESPACE, over, Patch.MERGE, subresource="status"
        )
        await one.client.delete(CLAIMS, "a", NAMESPACE)
        await one.until(CLAIMS, "a", objects.is_deleting)
        assert await one.exists(CLAIMS, "a")
        await one.client.delete(PODS, "a", NAMESPACE)
        await one.gone(CLAIMS, "a")


@in_loop
async def test_a_pod_without_a_node_does_not_keep_its_claim(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(foreign("a"))
        await one.create(claim("a"))
        await one.until(CLAIMS, "a", phase("Bound"))
        await one.client.delete(CLAIMS, "a", NAMESPACE)
        await one.gone(CLAIMS, "a")
        assert await one.exists(PODS, "a")


@in_loop
async def test_many_claims_are_bound_at_once(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await asyncio.gather(*(one.create(claim(f"c{number}")) for number in range(40)))
        for number in range(40):
            await one.until(CLAIMS, f"c{number}", phase("Bound"))
        names = {it["spec"]["volumeName"] for it in one.seen.claims.cache.list()}
        assert len(names) == 40


@in_loop
async def test_volumes_are_found_again_after_a_restart(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        (one.pool.directory(bound["spec"]["volumeName"]) / "disk.img").write_text("content")
    async with Machine(tmp_path) as one:
        again = await one.until(CLAIMS, "a", phase("Bound"))
        disk = one.pool.directory(again["spec"]["volumeName"]) / "disk.img"
        assert disk.read_text() == "content"


@in_loop
async def test_a_class_that_does_not_exist_is_told_and_may_come(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a", storageClassName="gold"))
        text = await one.event("a", "ProvisioningFailed")
        assert text == 'storageclass.storage.k8s.io "gold" not found'
        gold = await one.client.get(STORAGE_CLASSES, "local")
        await one.client.create(STORAGE_CLASSES, {**gold, "metadata": {"name": "gold"}})
        await one.until(CLAIMS, "a", phase("Bound"))
