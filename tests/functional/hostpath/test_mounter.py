"""Pools on claims: mounted on a node, found by the driver, and let go. Real mounts and devices."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.hostpath import mounter as mounting
from cdi.hostpath.mounter import Mounter
from cdi.hostpath.pools import MARKER
from cdi.kube.clock import SystemClock
from cdi.volumes import errors, loops, mounts
from support import csi, filesystems, loopdev
from support.commands import PROGRAM
from support.csi import BLOCK, Refused
from support.csidriver import Driver

MIB = 1 << 20
pytestmark = loopdev.needs_root


@pytest.fixture
def claim(tmp_path: Path) -> Iterator[Path]:
    """The directory of a claim: a file system of its own."""
    with filesystems.mounted("ext4", tmp_path, 64) as place:
        yield place


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """Where a pool is mounted; nothing is afterwards."""
    place = tmp_path / "claimed" / "csi"
    yield place
    if mounts.at(place) is not None:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "device"
    file.touch()
    os.truncate(file, 320 * MIB)
    with loopdev.device(file) as found:
        yield found


def mounter(source: Path, target: Path) -> Mounter:
    return Mounter("hpp-pool-a-node", source, target, SystemClock())


def test_the_driver_makes_nothing_until_the_pool_is_mounted(
    tmp_path: Path, claim: Path, target: Path
) -> None:
    target.mkdir(parents=True)
    with Driver(tmp_path, "claimed", mounted=("claimed",)) as driver:
        codes = []
        for call in (
            lambda: driver.client.create("pvc-1", size=MIB, parameters={"storagePool": "claimed"}),
            lambda: driver.client.call("Controller/DeleteVolume", volume_id="pvc-1"),
            lambda: driver.client.call("Controller/DeleteSnapshot", snapshot_id="snap-1"),
        ):
            with pytest.raises(Refused, match="not mounted") as refused:
                call()
            codes.append(refused.value.code)
        assert codes == ["UNAVAILABLE"] * 3
        assert list(target.iterdir()) == []
        # Other pools go on.
        driver.client.create("pvc-0", size=MIB, parameters={"storagePool": "legacy"})
        mounter(claim, target).ensure()
        driver.client.create("pvc-1", size=MIB, parameters={"storagePool": "claimed"})
        assert driver.client.volumes() == ["pvc-0", "pvc-1"]  # and not lost+found
        mounting.let_go(target)
        with pytest.raises(Refused, match="not mounted"):
            driver.client.create("pvc-2", size=MIB, parameters={"storagePool": "claimed"})

    assert (claim / "pvc-1").is_dir()
    assert list(target.iterdir()) == []


def test_what_was_cut_short_is_removed_when_the_pool_comes(
    tmp_path: Path, claim: Path, target: Path
) -> None:
    (claim / ".erased-pvc-1").mkdir()
    with Driver(tmp_path, "claimed", mounted=("claimed",)) as driver:
        mounter(claim, target).ensure()
        driver.client.create("pvc-2", size=MIB, parameters={"storagePool": "claimed"})

        assert driver.left("claimed") == [MARKER, ".records/pvc-2.json", "lost+found", "pvc-2"]


def test_mounting_again_changes_nothing_and_something_else_is_left_alone(
    claim: Path, target: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        mounter(claim, target).ensure()
    assert [each.target for each in mounts.table()].count(target) == 1
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(errors.Different, match="something else"):
        mounter(other, target).ensure()


def test_a_blank_device_gets_a_file_system_once(device: Path, target: Path) -> None:
    mounter(device, target).ensure()
    (target / "kept").touch()
    mounting.let_go(target)
    mounter(device, target).ensure()

    assert mounts.kind_at(target) == "xfs"
    assert (target / "kept").exists()


@pytest.mark.parametrize("offset", [0, 1000, -100])
def test_a_device_with_something_on_it_is_never_formatted(
    device: Path, target: Path, offset: int
) -> None:
    with device.open("r+b") as opened:
        opened.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        opened.write(b"somebody's data")
    with pytest.raises(OSError, match="mount"):
        mounter(device, target).ensure()
    with device.open("rb") as opened:
        opened.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        assert opened.read(15) == b"somebody's data"
    assert mounts.at(target) is None


def test_a_device_that_cannot_be_read_is_never_formatted(tmp_path: Path, target: Path) -> None:
    with filesystems.spoilt(tmp_path, 64 * MIB, "error", "error-pread-rate=1") as broken:
        with pytest.raises(OSError, match=r"(?i)input/output"):
            mounter(broken, target).ensure()
        assert mounts.at(target) is None


def test_a_file_system_grows_with_its_device(device: Path, target: Path, tmp_path: Path) -> None:
    keeper = mounter(device, target)
    keeper.ensure()
    before = os.statvfs(target).f_blocks
    os.truncate(tmp_path / "device", 640 * MIB)
    subprocess.run(["losetup", "--set-capacity", device], check=True)
    keeper.ensure()

    assert os.statvfs(target).f_blocks > before * 3 // 2


def test_volumes_in_use_outlive_the_mount(tmp_path: Path, claim: Path, target: Path) -> None:
    mounter(claim, target).ensure()
    with Driver(tmp_path, "claimed", mounted=("claimed",)) as driver:
        driver.client.create(
            "pvc-1", size=MIB, capability=BLOCK, parameters={"storagePool": "claimed"}
        )
        published = tmp_path / "published"
        driver.client.publish("pvc-1", published, capability=BLOCK)
        mounting.let_go(target)
        try:
            with published.open("r+b") as opened:
                opened.write(b"still there")
                os.fsync(opened.fileno())
            assert mounts.at(target) is None
        finally:
            subprocess.run(["umount", published], check=True)
            with (claim / "pvc-1" / "disk.img").open("rb") as disk:
                assert disk.read(11) == b"still there"
            loops.detach(claim / "pvc-1" / "disk.img")


def test_the_process_leaves_the_mount_behind_and_takes_it_away_when_asked(
    claim: Path, target: Path
) -> None:
    target.mkdir(parents=True)
    words = [
        *PROGRAM, "hostpath", "mounter", "--claim", "c", "--source", str(claim),
        "--target", str(target), "--health", "127.0.0.1:0",
    ]  # fmt: skip
    process = subprocess.Popen(words)
    try:
        filesystems.wait_mounted(target, process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=csi.DEADLINE) == 0
    assert mounts.at(target) is not None
    subprocess.run([*words, "--unmount"], check=True)
    assert mounts.at(target) is None
