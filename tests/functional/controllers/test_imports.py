"""DataVolumes on a real API server: from creation to their end, with scripted pods."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from cdi.api import annotations as known
from cdi.controllers import kinds
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import (
    CONFIG_MAPS,
    CSI_DRIVERS,
    EVENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STORAGE_CLASSES,
)
from support import played, world
from support.loop import in_loop
from support.played import Stage, phase

ORDER = ["", "Pending", "PVCBound", "ImportScheduled", "ImportInProgress", "Succeeded"]
BLANK = {"blank": {}}


def forwards(stage: Stage, name: str) -> bool:
    places = [ORDER.index(each) for each in stage.phases[name]]
    return places == sorted(places)


def condition(volume: Object, kind: str) -> tuple[str, str, str]:
    found = next(each for each in volume["status"]["conditions"] if each["type"] == kind)
    return found["status"], found["reason"], found["message"]


@in_loop
async def test_a_data_volume_is_imported_and_its_pod_goes(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())
        found = await stage.until(kinds.DATA_VOLUMES, "dv", phase("Succeeded"))
        await stage.until_gone(PODS, "importer-dv")
        assert found["status"]["progress"] == "100.0%"
        assert found["status"]["claimName"] == "dv"
        assert condition(found, "Bound") == ("True", "Bound", "PVC dv Bound")
        assert stage.pods == ["importer-dv"]
        assert forwards(stage, "ns/dv")


@in_loop
async def test_a_populator_hands_the_filled_volume_over(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        driver = {"metadata": {"name": world.DRIVER}, "spec": {}}
        await stage.create(CSI_DRIVERS, driver)
        spec = {"source": world.HTTP, "storage": {
            "resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"],
            "volumeMode": "Filesystem",
        }}  # fmt: skip
        await stage.create(kinds.DATA_VOLUMES, world.data_volume(spec=spec))
        claim = await stage.until(PERSISTENT_VOLUME_CLAIMS, "dv", phase("Bound"))
        await stage.until(kinds.DATA_VOLUMES, "dv", phase("Succeeded"))
        prime = f"prime-{objects.uid(claim)}"
        await stage.until_gone(PERSISTENT_VOLUME_CLAIMS, prime)
        assert objects.annotations(claim)[known.PVC_PRIME] == prime
        assert forwards(stage, "ns/dv")


@in_loop
async def test_a_permanent_failure_is_final_and_says_what_to_do(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        text = "404 Not Found; correct the URL"
        stage.script("importer-dv", [world.CREATING, world.RUNNING, world.final("NotFound", text)])
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())
        found = await stage.until(kinds.DATA_VOLUMES, "dv", phase("Failed"))
        await stage.until_gone(PODS, "importer-dv")
        assert condition(found, "Running") == ("False", "Error", f"{text}; reason=NotFound")
        claim = stage.seen(PERSISTENT_VOLUME_CLAIMS, "dv")
        assert claim is not None
        assert objects.annotations(claim)[known.FATAL_ERROR] == "true"
        assert stage.pods == ["importer-dv"]


@in_loop
async def test_a_transient_failure_says_when_it_is_tried_again(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        stage.script("importer-dv", [world.CREATING, world.RUNNING, world.crashed("refused")])
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())

        def told(volume: Object) -> bool:
            conditions = objects.get(volume, "status", "conditions", default=[])
            return any("next attempt at" in (each.get("message") or "") for each in conditions)

        found = await stage.until(kinds.DATA_VOLUMES, "dv", told)
        assert found["status"]["phase"] == "ImportInProgress"
        assert found["status"]["restartCount"] == 1
        pod = {"status": world.state("Succeeded", 1, terminated=world.ended(world.COMPLETE))}
        await stage.client.patch(PODS, "importer-dv", "ns", pod, subresource="status")
        await stage.until(kinds.DATA_VOLUMES, "dv", phase("Succeeded"))
        assert forwards(stage, "ns/dv")


@in_loop
async def test_two_of_one_name_and_twenty_at_once(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        await stage.create(NAMESPACES, {"metadata": {"name": "other"}})
        volumes = [world.data_volume(f"dv-{n}", source=BLANK) for n in range(20)]
        twin = world.data_volume("dv-0")
        twin["metadata"]["namespace"] = "other"
        await asyncio.gather(*(stage.create(kinds.DATA_VOLUMES, each) for each in [*volumes, twin]))
        for each in [*volumes, twin]:
            place = objects.key(each)
            await stage.until(kinds.DATA_VOLUMES, place.name, phase("Succeeded"), place.namespace)
            assert forwards(stage, str(place))


@pytest.mark.parametrize("moment", ["Pending", "ImportScheduled", "ImportInProgress", "Succeeded"])
def test_deleted_in_any_phase_it_leaves_nothing(tmp_path: Path, moment: str) -> None:
    @in_loop
    async def deleted() -> None:
        async with played.stage(tmp_path) as stage:
            stage.binds = moment != "Pending"
            ends = {"ImportScheduled": 1, "ImportInProgress": 2}.get(moment, 3)
            stage.script("importer-dv", world.SUCCEEDS[:ends])
            await stage.create(kinds.DATA_VOLUMES, world.data_volume())
            await stage.until(kinds.DATA_VOLUMES, "dv", phase(moment))
            await stage.client.delete(kinds.DATA_VOLUMES, "dv", "ns")
            await stage.until_gone(kinds.DATA_VOLUMES, "dv")
            await stage.until_gone(PERSISTENT_VOLUME_CLAIMS, "dv")
            await stage.until_gone(PODS, "importer-dv")

    deleted()


@in_loop
async def test_classes_get_profiles_and_the_config_says_what_counts(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        profile = await stage.until(
            kinds.STORAGE_PROFILES, "fast", lambda each: bool(each.get("status"))
        )
        assert profile["status"]["provisioner"] == world.DRIVER

        def knows_class(config: Object) -> bool:
            return bool(objects.get(config, "status", "filesystemOverhead", "storageClass", "fast"))

        config = await stage.until(kinds.CDI_CONFIGS, "config", knows_class)
        assert config["spec"]["featureGates"] == ["HonorWaitForFirstConsumer"]
        assert config["status"]["filesystemOverhead"]["global"] == "0.06"
        change = {"spec": {"filesystemOverhead": {"global": "0.1"}}}
        await stage.client.patch(kinds.CDI_CONFIGS, "config", None, change)
        await stage.until(
            kinds.CDI_CONFIGS,
            "config",
            lambda each: each["status"]["filesystemOverhead"]["global"] == "0.1",
        )


@in_loop
async def test_events_are_told_in_the_controllers_name(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())
        await stage.until(kinds.DATA_VOLUMES, "dv", phase("Succeeded"))
        await stage.until_told("ImportSucceeded", "DataVolume")
        events = await stage.client.list(EVENTS, "ns")
        about = [each for each in events if each["involvedObject"]["kind"] == "DataVolume"]
        assert {each["source"]["component"] for each in about} == {"datavolume-import-controller"}
        assert "NotFound" in {each["reason"] for each in about}


# What appears later.


@in_loop
async def test_an_image_with_the_vddk_library_is_noticed_when_it_is_named(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        source = {"vddk": {
            "url": "https://vcenter", "uuid": "u", "backingFile": "[ds] d.vmdk",
            "thumbprint": "aa", "secretRef": "keys",
        }}  # fmt: skip
        await stage.create(kinds.DATA_VOLUMES, world.data_volume(source=source))
        await stage.until(
            PERSISTENT_VOLUME_CLAIMS, "dv",
            lambda claim: objects.annotations(claim).get(known.BOUND_REASON) == "AwaitingVDDK",
        )  # fmt: skip
        named = {
            "metadata": {"name": "v2v-vmware", "namespace": world.SETTINGS.namespace},
            "data": {"vddk-init-image": "registry.example/vddk:8"},
        }
        await stage.create(CONFIG_MAPS, named)
        pod = await stage.until(PODS, "importer-dv", lambda _: True)
        assert pod["spec"]["initContainers"][0]["image"] == "registry.example/vddk:8"


@in_loop
async def test_the_proxys_certificates_are_noticed_when_they_are_there(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        stage.script("importer-dv", [world.CREATING])
        config = await stage.until(kinds.CDI_CONFIGS, "config", lambda _: True)
        proxy = {"HTTPSProxy": "http://proxy:3128", "trustedCAProxy": "ca"}
        change = {"spec": {"importProxy": proxy}}
        await stage.client.patch(kinds.CDI_CONFIGS, objects.name(config), None, change)
        await stage.until(
            kinds.CDI_CONFIGS, "config",
            lambda found: bool(objects.get(found, "status", "importProxy", "trustedCAProxy")),
        )  # fmt: skip
        await stage.create(kinds.DATA_VOLUMES, world.data_volume())
        await stage.until(
            PERSISTENT_VOLUME_CLAIMS, "dv",
            lambda claim: "ConfigMap ca in namespace"
            in objects.annotations(claim).get(known.RUNNING_MESSAGE, ""),
        )  # fmt: skip
        ca = {
            "metadata": {"name": "ca", "namespace": world.SETTINGS.namespace},
            "data": {"ca.pem": "-"},
        }
        await stage.create(CONFIG_MAPS, ca)
        await stage.until(
            PERSISTENT_VOLUME_CLAIMS, "dv",
            lambda claim: "ConfigMap ca" not in objects.annotations(claim)[known.RUNNING_MESSAGE],
        )  # fmt: skip
        watch = stage.client.watch(CONFIG_MAPS, "ns", resource_version="0")
        async with asyncio.timeout(played.LIMIT), aclosing(watch):
            async for change in watch:
                if objects.name(change.object) == "import-proxy-cm-dv":
                    assert change.object["data"] == {"ca.pem": "-"}
                    break


@in_loop
async def test_a_class_is_noticed_when_it_is_made(tmp_path: Path) -> None:
    async with played.stage(tmp_path) as stage:
        source = {"metadata": {"name": "s", "namespace": "ns"}, "spec": {"source": world.HTTP}}
        await stage.create(kinds.IMPORT_SOURCES, source)
        reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "s"}
        spec = {**world.pvc_spec(storageClassName="coming"), "dataSourceRef": reference}
        claim = {"metadata": {"name": "disk", "namespace": "ns"}, "spec": spec}
        await stage.create(PERSISTENT_VOLUME_CLAIMS, claim)
        await stage.until_told("ErrCreatingPVCPrime", "PersistentVolumeClaim")
        await stage.create(STORAGE_CLASSES, world.storage_class("coming"))
        await stage.until(PERSISTENT_VOLUME_CLAIMS, "disk", phase("Bound"))
