"""A DataVolume that names no size gets a claim for the disk at its source, or a reason."""

import subprocess
from pathlib import Path

import pytest

from cdi.api import quantity
from cdi.api.phases import DataVolume as Phase
from support import disks, httpd, manifests
from support.cluster import Namespace

pytestmark = pytest.mark.e2e

MIB = 1 << 20


def without_size(name: str, url: str, **claim: object) -> manifests.Object:
    found = manifests.data_volume(name, manifests.http(url))
    found["spec"]["storage"] = claim
    return found


def capacity(space: Namespace, name: str) -> int:
    asked = space.get("pvc", name)["spec"]["resources"]["requests"]["storage"]
    return quantity.parse(asked).value()


@pytest.mark.parametrize("kind", ["qcow2", "raw"])
@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
def test_a_claim_is_as_large_as_the_disk_at_its_source(space, server, images, kind, mode):
    url = server.put(f"/disk.{kind}", images.blob(kind))
    space.apply(without_size("disk", url, volumeMode=mode))
    space.wait_phase("disk", Phase.SUCCEEDED)

    size = images.raw.stat().st_size
    asked = capacity(space, "disk")
    assert asked == size if mode == "Block" else size < asked < 2 * size
    disk = space.claim_disk("disk")
    if disk is not None and mode == "Filesystem":
        assert disk.stat().st_size == size
        assert disks.differs(disk, images.raw) == ""
    pods = [name for name in space.names("pod") if name.startswith("size-detection")]
    space.gone(*(f"pod/{name}" for name in pods))


def test_a_disk_that_nobody_can_measure_is_told_at_once(space, server, images, tmp_path: Path):
    packed = tmp_path / "disk.gz"
    with packed.open("wb") as file:
        subprocess.run(["gzip", "-1", "-c", images.raw], stdout=file, check=True)
    url = server.put("/disk.gz", httpd.Blob(packed.read_bytes()))
    space.apply(without_size("disk", url))
    space.wait_phase("disk", Phase.FAILED)

    said = space.conditions("disk")["Bound"]
    assert said["reason"] == "SizeUnknown"
    assert "resources.requests.storage" in said["message"]
    space.until_event("dv/disk", "SizeUnknown")
    assert "disk" not in space.names("pvc")
    explained = space.cluster.cdi("explain", "dv/disk", "-n", space.name).stdout
    assert "say how large the disk is" in explained


def test_a_source_that_comes_later_is_measured_then(space, server, images):
    url = f"{server.origin}/late"
    space.apply(without_size("disk", url))
    space.until_event("dv/disk", "SourceNotFound")
    server.put("/late", images.blob("qcow2"))
    space.wait_phase("disk", Phase.SUCCEEDED)
