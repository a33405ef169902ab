"""Storage that lies: full, read-only, gone, or on the system's disk. No half volume remains."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.hostpath.keeper import Keeper
from cdi.hostpath.metrics import DriverMetrics
from cdi.hostpath.pools import HostPool, PoolSettings
from support import filesystems, loopdev
from support.csi import BLOCK, Refused
from support.csidriver import Driver

MIB = 1 << 20
pytestmark = loopdev.needs_root


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Driver]:
    """A driver whose pools are on a small file system that cannot share data."""
    ext4 = filesystems.mounted("ext4", tmp_path, 64)
    with ext4 as place, Driver(tmp_path, place=place) as driver:
        yield driver


def fill(driver: Driver, volume: str, size: int) -> None:
    with (driver.roots["local"] / volume / "disk.img").open("r+b") as disk:
        disk.write(os.urandom(size))
        os.fsync(disk.fileno())


def use_up(file: Path) -> None:
    """Take all room that is there for whoever is not root."""
    with file.open("wb") as opened:
        while room := os.statvfs(file).f_bavail:
            opened.write(bytes(min(room, 256) * 4096))
            opened.flush()
            os.fsync(opened.fileno())


def test_a_full_disk_leaves_no_half_volume(small: Driver) -> None:
    small.client.create("pvc-1", size=40 * MIB, capability=BLOCK)
    fill(small, "pvc-1", 35 * MIB)
    before = small.left()
    codes = []
    for call in (
        lambda: small.client.create(
            "pvc-2",
            size=40 * MIB,
            capability=BLOCK,
            volume_content_source={"volume": {"volume_id": "pvc-1"}},
        ),
        lambda: small.client.call(
            "Controller/CreateSnapshot", name="snap", source_volume_id="pvc-1"
        ),
    ):
        with pytest.raises(Refused, match=r"(?i)no space") as refused:
            call()
        codes.append(refused.value.code)

    assert codes == ["RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"]
    assert small.left() == before
    assert small.client.volumes() == ["pvc-1"]


def test_a_full_disk_is_a_condition(small: Driver) -> None:
    small.client.create("pvc-1", size=MIB)
    filler = small.roots["local"] / "pvc-1" / "file"
    use_up(filler)
    status = small.client.call("Controller/ControllerGetVolume", volume_id="pvc-1")["status"]
    filler.unlink()

    assert status["volume_condition"] == {
        "abnormal": True,
        "message": "No space left on device",
    }


def test_a_read_only_remount_is_said_and_changes_nothing(small: Driver) -> None:
    small.client.create("pvc-1", size=MIB)
    place = small.roots["local"].parents[1]
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    try:
        with pytest.raises(Refused) as making:
            small.client.create("pvc-2", size=MIB)
        with pytest.raises(Refused) as removing:
            small.client.call("Controller/DeleteVolume", volume_id="pvc-1")
        status = small.client.call("Controller/ControllerGetVolume", volume_id="pvc-1")["status"]
    finally:
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)

    assert making.value.code == removing.value.code == "UNAVAILABLE"
    assert "read-only" in making.value.message
    assert status["volume_condition"]["abnormal"]
    assert "can only be read" in status["volume_condition"]["message"]
    assert small.client.volumes() == ["pvc-1"]
    small.client.call("Controller/DeleteVolume", volume_id="pvc-1")
    assert small.left() == []


def test_a_pod_hears_of_a_mount_that_is_gone(small: Driver, tmp_path: Path) -> None:
    target = tmp_path / "target"
    small.client.create("pvc-1", size=MIB)
    small.client.publish("pvc-1", target)
    subprocess.run(["umount", target], check=True)
    stats = small.client.call("Node/NodeGetVolumeStats", volume_id="pvc-1", volume_path=str(target))
    small.client.unpublish("pvc-1", target)

    assert stats["volume_condition"]["abnormal"]
    assert "not mounted" in stats["volume_condition"]["message"]


def test_metrics_say_which_pools_share_the_systems_disk_and_which_are_gone(tmp_path: Path) -> None:
    with filesystems.mounted("tmpfs", tmp_path) as place:
        own, shared = place / "own", tmp_path / "shared"
        for folder in (own, shared):
            folder.mkdir()
        alone = DriverMetrics(Keeper([pool("own", own)]), tmp_path).text().decode()
        both = Keeper([pool("own", own), pool("shared", shared)])
        metrics = DriverMetrics(both, tmp_path)
        mixed = metrics.text().decode()
        shared.rmdir()
        gone = metrics.text().decode()

    assert "kubevirt_hpp_pool_path_shared_with_os 0.0" in alone
    assert "kubevirt_hpp_pool_path_shared_with_os 1.0" in mixed
    assert 'kubevirt_hpp_pool_present{pool="shared"} 1.0' in mixed
    assert 'kubevirt_hpp_pool_present{pool="shared"} 0.0' in gone
    assert "kubevirt_hpp_pool_path_shared_with_os 0.0" in gone


def pool(name: str, path: Path) -> HostPool:
    return HostPool(PoolSettings(name=name, path=str(path)))
