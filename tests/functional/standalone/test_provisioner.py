"""The data of local volumes: directories, disk files, loop devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi.standalone.volumes import loops
from cdi.standalone.volumes.local import Volumes
from support import loopdev

MIB = 1 << 20


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path, devices=False)


def test_a_volume_is_made_once_and_keeps_its_content(volumes: Volumes) -> None:
    place = volumes.make("pv", "Filesystem", MIB)
    (place / "disk.img").write_text("content")

    assert volumes.make("pv", "Filesystem", MIB) == place
    assert (place / "disk.img").read_text() == "content"


def test_a_block_volume_is_sparse_and_never_shrinks(volumes: Volumes) -> None:
    disk = volumes.make("pv", "Block", 8 * MIB) / "disk.img"
    volumes.grow("pv", "Block", 16 * MIB)
    volumes.grow("pv", "Block", 4 * MIB)

    assert disk.stat().st_size == 16 * MIB
    assert disk.stat().st_blocks == 0


def test_erasing_leaves_nothing_and_may_be_repeated(volumes: Volumes, tmp_path: Path) -> None:
    place = volumes.make("pv", "Filesystem", MIB)
    (place / "folder").mkdir()
    (place / "folder" / "file").touch()
    volumes.erase("pv")
    volumes.erase("pv")

    assert list(tmp_path.iterdir()) == []


def test_an_erasure_that_was_cut_short_is_finished(volumes: Volumes, tmp_path: Path) -> None:
    (volumes.make("pv", "Filesystem", MIB) / "file").touch()
    (tmp_path / "pv").rename(tmp_path / ".erased-pv")
    volumes.erase("pv")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".erased-x"])
def test_a_name_cannot_lead_elsewhere(volumes: Volumes, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a volume"):
        volumes.directory(name)


def test_without_devices_a_pod_gets_the_file(volumes: Volumes) -> None:
    disk = volumes.make("pv", "Block", MIB) / "disk.img"

    assert volumes.attach("pv") == disk


def test_a_volume_whose_data_is_gone_cannot_be_attached(volumes: Volumes) -> None:
    with pytest.raises(FileNotFoundError, match="data of volume pv is missing"):
        volumes.attach("pv")


@loopdev.needs_root
@pytest.mark.root
def test_a_loop_device_comes_grows_and_goes_with_the_volume(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path, devices=True)
    disk = volumes.make("pv", "Block", 8 * MIB) / "disk.img"
    device = volumes.attach("pv")
    assert device.is_block_device()
    assert loops.attached(disk) == [device.readlink()]
    assert volumes.attach("pv").readlink() == loops.attached(disk)[0]
    volumes.grow("pv", "Block", 16 * MIB)
    with device.open("rb") as opened:
        assert opened.seek(0, 2) == 16 * MIB
    volumes.detach("pv")
    assert loops.attached(disk) == []
    volumes.attach("pv")
    volumes.erase("pv")
    assert loops.attached(disk) == []
    assert list(tmp_path.iterdir()) == []
