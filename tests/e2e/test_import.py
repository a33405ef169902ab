"""From `kubectl apply` to Succeeded, every way there is, and the disk is the right one."""

import json
import os
from pathlib import Path

import pytest

from cdi.api.phases import DataVolume as Phase
from support import disks, manifests
from support.cluster import Namespace
from support.manifests import BLANK, WAITING_CLASS, data_volume, http

pytestmark = pytest.mark.e2e

# The only way there is, and it leads one way.
ORDER = (
    "",
    Phase.PENDING,
    Phase.WAIT_FOR_FIRST_CONSUMER,
    Phase.PENDING_POPULATION,
    Phase.PVC_BOUND,
    Phase.IMPORT_SCHEDULED,
    Phase.IMPORT_IN_PROGRESS,
    Phase.SUCCEEDED,
)
PHASES = "{.metadata.name}={.status.phase}"
AT_ONCE = {manifests.BIND_AT_ONCE: ""}


def assert_forwards(lines: list[str]) -> None:
    """No volume among the lines ever went back to a phase before the one it was in."""
    last: dict[str, int] = {}
    for line in lines:
        name, _, phase = line.partition("=")
        step = ORDER.index(phase)
        assert step >= last.get(name, 0), f"{name} went back: {lines}"
        last[name] = step


def assert_same(space: Namespace, name: str, raw: Path) -> None:
    """The claim holds just this disk; looked at where its files are on this machine."""
    disk = space.claim_disk(name)
    if disk is not None:
        assert disks.differs(disk, raw) == ""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("qcow2", {}, id="qcow2-storage"),
        pytest.param("qcow2", {"by": "pvc"}, id="qcow2-pvc"),
        pytest.param("raw", {"volumeMode": "Filesystem"}, id="raw-storage-filesystem"),
        pytest.param("gz", {"by": "pvc", "volumeMode": "Filesystem"}, id="gz-pvc-filesystem"),
        pytest.param("qcow2", {"volumeMode": "Block"}, id="qcow2-storage-block"),
        pytest.param("raw", {"by": "pvc", "volumeMode": "Block"}, id="raw-pvc-block"),
        pytest.param(
            "qcow2",
            {"storageClassName": WAITING_CLASS, "annotations": AT_ONCE},
            id="waiting-class-at-once",
        ),
    ],
)
def test_an_image_is_imported(space, server, images, kind, options):
    url = server.put(f"/disk.{kind}", images.blob(kind))
    with space.watch("dv", PHASES) as watch:
        space.apply(data_volume("disk", http(url), **options))
        space.wait_phase("disk", Phase.SUCCEEDED)
        assert_forwards(watch.until(lambda lines: "disk=Succeeded" in lines))
    status = space.get("dv", "disk")["status"]
    assert (status["progress"], status["claimName"]) == ("100.0%", "disk")
    assert space.conditions("disk")["Ready"]["status"] == "True"
    disk = space.claim_disk("disk")
    if disk is not None and options.get("volumeMode") == "Block":
        with disk.open("rb") as found:
            assert found.read(images.raw.stat().st_size) == images.raw.read_bytes()
    else:
        assert_same(space, "disk", images.raw)
    space.gone("pod/importer-disk")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="storage"),
        pytest.param({"by": "pvc"}, id="pvc"),
        pytest.param({"by": "pvc", "volumeMode": "Block"}, id="block"),
    ],
)
def test_a_blank_disk_is_made(space, options):
    space.apply(data_volume("blank", BLANK, **options))
    space.wait_phase("blank", Phase.SUCCEEDED)
    disk = space.claim_disk("blank")
    if disk is not None:
        assert size_of(disk) >= 56 << 20
        assert disk.is_block_device() or disk.stat().st_blocks == 0
        with disk.open("rb") as found:
            assert not found.read().strip(b"\0")


def size_of(disk: Path) -> int:
    """In bytes, of a file or a device."""
    with disk.open("rb") as found:
        return found.seek(0, os.SEEK_END)


@pytest.mark.parametrize("by", ["storage", "pvc"])
def test_a_waiting_class_waits_for_a_consumer(space, server, images, by):
    url = server.put("/disk", images.blob("qcow2"))
    with space.watch("dv", PHASES) as watch:
        space.apply(data_volume("disk", http(url), by=by, storageClassName=WAITING_CLASS))
        waiting = ("WaitForFirstConsumer", "PendingPopulation")
        watch.until(lambda lines: lines[-1].partition("=")[2] in waiting if lines else False)
        assert not server.requests
        space.consume("disk")
        space.wait_phase("disk", Phase.SUCCEEDED)
        assert_forwards(watch.until(lambda lines: "disk=Succeeded" in lines))
    assert_same(space, "disk", images.raw)


def test_a_claim_is_annotated_by_hand(space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    given = {
        "cdi.kubevirt.io/storage.import.endpoint": url,
        "cdi.kubevirt.io/storage.import.source": "http",
    }
    space.apply(manifests.claim("bare", given))
    phase = r"jsonpath={.metadata.annotations.cdi\.kubevirt\.io/storage\.pod\.phase}=Succeeded"
    space.wait("pvc/bare", phase)
    assert_same(space, "bare", images.raw)


def test_two_volumes_of_one_name_live_in_two_namespaces(cluster, space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    with cluster.namespace() as other:
        space.apply(data_volume("same", http(url)))
        other.apply(data_volume("same", BLANK))
        space.wait_phase("same", Phase.SUCCEEDED)
        other.wait_phase("same", Phase.SUCCEEDED)
        assert_same(space, "same", images.raw)
        blank = other.claim_disk("same")
        assert blank is None or blank.stat().st_blocks == 0


def test_a_hundred_blank_volumes_are_made_at_once(space):
    wanted = [f"disk-{number}" for number in range(100)]
    with space.watch("dv", PHASES) as watch:
        space.apply(*(data_volume(name, BLANK, size="8Mi") for name in wanted))
        done = {f"{name}=Succeeded" for name in wanted}
        assert_forwards(watch.until(lambda lines: done <= set(lines)))
    volumes = json.loads(space.kubectl("get", "pvc", "-ojson"))["items"]
    assert {each["status"]["phase"] for each in volumes} == {"Bound"}


def test_the_importers_log_can_be_read(space, server, images):
    url = server.put("/disk", images.blob("qcow2"))
    kept = {manifests.RETAIN: "true"}
    space.apply(data_volume("disk", http(url), by="pvc", annotations=kept))
    space.wait_phase("disk", Phase.SUCCEEDED)
    log = space.kubectl("logs", "importer-disk")
    assert [json.loads(line)["level"] for line in log.splitlines()]
    assert "secret" not in log
    assert space.kubectl("logs", "-f", "--tail=1", "importer-disk") in log
