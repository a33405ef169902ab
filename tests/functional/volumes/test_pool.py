"""The data of local volumes: directories, disk files, loop devices."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cdi.volumes import errors, loops
from cdi.volumes.pool import Mode, Pool
from cdi.volumes.snapshots import Snapshots
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


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".erased-x", "a\0b", "a\nb", 250 * "a"]
)
def test_a_name_cannot_lead_elsewhere(pool: Pool, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a volume"):
        pool.directory(name)


NAMED = [
    pytest.param(lambda pool, name: pool.make(name, Mode.BLOCK, MIB), id="make"),
    pytest.param(lambda pool, name: pool.grow(name, Mode.BLOCK, MIB), id="grow"),
    pytest.param(lambda pool, name: pool.clone("pv", name, Mode.BLOCK, MIB), id="clone-to"),
    pytest.param(lambda pool, name: pool.clone(name, "new", Mode.BLOCK, MIB), id="clone-from"),
    pytest.param(lambda pool, name: pool.attach(name), id="attach"),
    pytest.param(lambda pool, name: pool.detach(name), id="detach"),
    pytest.param(lambda pool, name: pool.usage(name), id="usage"),
    pytest.param(lambda pool, name: pool.erase(name), id="erase"),
    pytest.param(lambda pool, name: Snapshots(pool).erase(name), id="erase-a-snapshot"),
    pytest.param(lambda pool, name: Snapshots(pool).get(name), id="get-a-snapshot"),
    pytest.param(
        lambda pool, name: Snapshots(pool).take(name, "s", Mode.BLOCK, MIB, 0), id="take-from"
    ),
    pytest.param(
        lambda pool, name: Snapshots(pool).take("pv", name, Mode.BLOCK, MIB, 0), id="take-as"
    ),
    pytest.param(lambda pool, name: Snapshots(pool).restore(name, "new", MIB), id="restore-from"),
]


@pytest.mark.parametrize("call", NAMED)
def test_no_call_leaves_the_pool(tmp_path: Path, call: Callable[[Pool, str], object]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "disk.img").write_bytes(b"not ours")
    pool = Pool(tmp_path / "pool", devices=False)
    pool.ensure()
    pool.make("pv", Mode.BLOCK, MIB)
    for name in ("../outside", "/outside", str(outside), "pv/../../outside"):
        with pytest.raises(ValueError, match="cannot be the name of a volume"):
            call(pool, name)
    (pool.root / "linked").symlink_to(outside)
    with contextlib.suppress(OSError):
        call(pool, "linked")
    assert [path.name for path in outside.iterdir()] == ["disk.img"]
    assert (outside / "disk.img").read_bytes() == b"not ours"
    assert not (pool.root / "new").exists()


def test_a_link_in_a_disks_place_is_no_disk(pool: Pool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s3cr3t")
    disk = pool.make("pv", Mode.BLOCK, MIB) / "disk.img"
    disk.unlink()
    disk.symlink_to(secret)
    for call in (
        lambda: pool.attach("pv"),
        lambda: pool.grow("pv", Mode.BLOCK, 2 * MIB),
        lambda: pool.make("pv", Mode.BLOCK, 2 * MIB),
        lambda: pool.clone("pv", "new", Mode.BLOCK, MIB),
    ):
        with pytest.raises(OSError, match=r"missing|symbolic links"):
            call()
    assert secret.read_bytes() == b"s3cr3t"


def test_a_pool_that_is_gone_is_told_as_such_and_not_made_anew(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "not-mounted", devices=False)
    for call in (
        lambda: pool.make("pv", Mode.FILESYSTEM, MIB),
        lambda: pool.grow("pv", Mode.BLOCK, MIB),
        lambda: pool.erase("pv"),
        pool.space,
        pool.volumes,
    ):
        with pytest.raises(errors.PoolMissing, match="mount it, or make it"):
            call()
    assert not pool.root.exists()


def test_growing_makes_no_disk_that_was_lost(pool: Pool) -> None:
    (pool.make("pv", Mode.BLOCK, MIB) / "disk.img").unlink()
    with pytest.raises(errors.Missing):
        pool.grow("pv", Mode.BLOCK, 2 * MIB)
    with pytest.raises(errors.Missing, match="data of volume other is missing"):
        pool.grow("other", Mode.BLOCK, 2 * MIB)
    assert list(pool.directory("pv").iterdir()) == []


def test_tidying_removes_what_is_no_volume_and_nothing_else(pool: Pool, tmp_path: Path) -> None:
    pool.make("pv", Mode.BLOCK, MIB)
    for name in (".new-a", ".erased-b", ".somebodys"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    pool.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".somebodys", "pv"]
    assert pool.volumes() == ["pv"]


KILLED = """
import sys
from pathlib import Path
from cdi.volumes.pool import Mode, Pool
Pool(Path(sys.argv[1]), devices=False).clone("pv", "clone", Mode.BLOCK, 64 << 20)
"""


def test_a_clone_that_is_killed_is_whole_or_none(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", devices=False)
    pool.ensure()
    body = os.urandom(64 * MIB)
    (pool.make("pv", Mode.BLOCK, 64 * MIB) / "disk.img").write_bytes(body)
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(pool.root)])
        while child.poll() is None and not list(pool.root.glob(".new-clone/disk.img")):
            pass
        child.kill()
        child.wait()
        if "clone" in pool.volumes():
            assert (pool.directory("clone") / "disk.img").read_bytes() == body
            pool.erase("clone")
    pool.clone("pv", "clone", Mode.BLOCK, 64 * MIB)
    assert (pool.directory("clone") / "disk.img").read_bytes() == body
    pool.tidy()
    assert sorted(path.name for path in pool.root.iterdir()) == ["clone", "pv"]


def test_many_volumes_at_once_leave_nothing_behind(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", devices=False)
    pool.ensure()
    (pool.make("pv", Mode.BLOCK, MIB) / "disk.img").write_bytes(bytes(MIB - 1) + b"x")

    def live(number: int) -> bool:
        name = f"volume-{number}"
        pool.clone("pv", name, Mode.BLOCK, MIB)
        whole = (pool.directory(name) / "disk.img").read_bytes().endswith(b"x")
        pool.erase(name)
        return whole

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(live, range(200)))
    assert [path.name for path in pool.root.iterdir()] == ["pv"]


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


@loopdev.needs_root
@pytest.mark.root
def test_devices_are_attached_anew_after_a_restart(tmp_path: Path) -> None:
    pool = Pool(tmp_path, devices=True)
    for name in ("used", "unused", "lost"):
        disk = pool.make(name, Mode.BLOCK, MIB) / "disk.img"
        disk.write_bytes(name.encode().ljust(MIB, b"\0"))
    for name in ("used", "lost"):
        pool.attach(name)
        loops.detach(pool.directory(name) / "disk.img")  # as a restart of the machine does
    (tmp_path / "lost" / "disk.img").unlink()
    with loopdev.device(tmp_path / "unused" / "disk.img"):  # takes the number that was free
        pool.reattach()
        with (tmp_path / "used" / "device").open("rb") as device:
            assert device.read(4) == b"used"
        assert pool.attached() == ["used"]
    pool.erase("used")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lost", "unused"]


@loopdev.needs_root
@pytest.mark.root
def test_a_users_device_is_its_own_and_the_disk_stays_in_its_place(tmp_path: Path) -> None:
    pool = Pool(tmp_path, devices=True, user=(64107, 64107))
    disk = pool.make("pv", Mode.BLOCK, MIB) / "disk.img"
    device = pool.attach("pv")
    try:
        assert device.is_block_device()
        # Group members may write to the device and add files, not remove what is not theirs.
        assert (device.stat().st_gid, device.stat().st_mode & 0o060) == (64107, 0o060)
        assert disk.parent.stat().st_mode & stat.S_ISVTX
        assert (disk.stat().st_uid, disk.parent.stat().st_uid) == (0, 0)
    finally:
        pool.detach("pv")
    assert not device.exists()


@loopdev.needs_root
@pytest.mark.root
def test_a_clone_holds_what_was_written_to_the_device(tmp_path: Path) -> None:
    pool = Pool(tmp_path, devices=True)
    pool.make("pv", Mode.BLOCK, MIB)
    with pool.attach("pv").open("r+b", buffering=0) as device:
        device.write(b"written".ljust(4096, b"\0"))
        pool.clone("pv", "clone", Mode.BLOCK, MIB)
    pool.detach("pv")
    assert (tmp_path / "clone" / "disk.img").read_bytes().startswith(b"written")
