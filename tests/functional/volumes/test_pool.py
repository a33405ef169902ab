"""The data of local volumes: directories, disk files, loop devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi.volumes import loops
from cdi.volumes.pool import Pool
from support import loopdev

MIB = 1 << 20


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path, devices=False)


def test_a_volume_is_made_once_and_keeps_its_content(pool: Pool) -> None:
    place = pool.make("pv", "Filesystem", MIB)
    (place / "disk.img").write_text("content")

    assert pool.make("pv", "Filesystem", MIB) == place
    assert (place / "disk.img").read_text() == "content"


def test_a_block_volume_is_sparse_and_never_shrinks(pool: Pool) -> None:
    disk = pool.make("pv", "Block", 8 * MIB) / "disk.img"
    pool.grow("pv", "Block", 16 * MIB)
    pool.grow("pv", "Block", 4 * MIB)

    assert disk.stat().st_size == 16 * MIB
    assert disk.stat().st_blocks == 0


def test_erasing_leaves_nothing_and_may_be_repeated(pool: Pool, tmp_path: Path) -> None:
    place = pool.make("pv", "Filesystem", MIB)
    (place / "folder").mkdir()
    (place / "folder" / "file").touch()
    pool.erase("pv")
    pool.erase("pv")

    assert list(tmp_path.iterdir()) == []


def test_an_erasure_that_was_cut_short_is_finished(pool: Pool, tmp_path: Path) -> None:
    (pool.make("pv", "Filesystem", MIB) / "file").touch()
    (tmp_path / "pv").rename(tmp_path / ".erased-pv")
    pool.erase("pv")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".erased-x"])
def test_a_name_cannot_lead_elsewhere(pool: Pool, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a volume"):
        pool.directory(name)


def test_without_devices_a_pod_gets_the_file(pool: Pool) -> None:
    disk = pool.make("pv", "Block", MIB) / "disk.img"

    assert pool.attach("pv") == disk


def test_a_volume_whose_data_is_gone_cannot_be_attached(pool: Pool) -> None:
    with pytest.raises(FileNotFoundError, match="data of volume pv is missing"):
        pool.attach("pv")


@loopdev.needs_root
@pytest.mark.root
def test_a_loop_device_comes_grows_and_goes_with_the_volume(tmp_path: Path) -> None:
    pool = Pool(tmp_path, devices=True)
    disk = pool.make("pv", "Block", 8 * MIB) / "disk.img"
    device = pool.attach("pv")
    assert device.is_block_device()
    assert loops.attached(disk) == [device.readlink()]
    assert pool.attach("pv").readlink() == loops.attached(disk)[0]
    pool.grow("pv", "Block", 16 * MIB)
    with device.open("rb") as opened:
        assert opened.seek(0, 2) == 16 * MIB
    pool.detach("pv")
    assert loops.attached(disk) == []
    pool.attach("pv")
    pool.erase("pv")
    assert loops.attached(disk) == []
    assert list(tmp_path.iterdir()) == []
