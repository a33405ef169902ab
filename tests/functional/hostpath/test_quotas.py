"""Volumes that their file system holds to their size: xfs and ext4 with project quotas.

Many kernels have none: `scripts/test_quotas` runs these tests in one that has.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.hostpath.pools import Content, HostPool, Kind, PoolSettings, Wanted
from cdi.volumes import quotas
from cdi.volumes.pool import Mode
from support import filesystems, loopdev

MIB = 1 << 20
SIZE = 10 * MIB
pytestmark = loopdev.needs_root
_MAKERS = {
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "ext4": ("mkfs.ext4", "-q", "-F", "-O", "quota,project"),
}


@pytest.fixture(params=_MAKERS)
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostPool]:
    """A pool on a file system that holds projects to their limits."""
    image, place = tmp_path / "image", tmp_path / "place"
    image.touch()
    os.truncate(image, 320 * MIB)
    subprocess.run([*_MAKERS[request.param], image], check=True, stdout=subprocess.DEVNULL)
    place.mkdir()
    with loopdev.device(image) as device:
        words = ["mount", "-o", "prjquota", device, place]
        if subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip(f"this kernel has no project quotas on {request.param}")
        try:
            made = HostPool(PoolSettings(name="local", path=str(place / "csi")))
            made.prepare()
            yield made
        finally:
            subprocess.run(["umount", place], check=True)


def make(pool: HostPool, volume: str, size: int = SIZE, content: Content | None = None) -> Path:
    wanted = Wanted(volume, "local", Mode.FILESYSTEM, size, content=content)
    pool.make(wanted, pool, threading.Event())
    return pool.pool.directory(volume)


def write(file: Path, size: int) -> None:
    """Write a file as whoever may not ignore quotas, as root may on ext4."""
    done = subprocess.run(
        [
            "setpriv", "--bounding-set", "-sys_resource", "--",
            "dd", "if=/dev/zero", f"of={file}", "bs=4k", f"count={size // 4096}", "conv=fsync",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(done.stderr)


def test_a_volume_takes_what_was_asked_for_and_no_more(pool: HostPool) -> None:
    volume, other = make(pool, "pvc-1"), make(pool, "pvc-2")
    with pytest.raises(OSError, match=r"(?i)no space|quota"):
        write(volume / "file", SIZE + MIB)
    write(other / "file", SIZE - MIB)

    assert pool.capacity("pvc-1") == SIZE
    assert pool.pool.space_of("pvc-1").size == SIZE
    assert pool.pool.space_of("pvc-1").available < 64 << 10
    assert pool.space().available > SIZE


def test_a_volume_that_grows_takes_more(pool: HostPool) -> None:
    volume = make(pool, "pvc-1")
    pool.grow("pvc-1", 3 * SIZE)
    write(volume / "file", 2 * SIZE)

    assert pool.capacity("pvc-1") == 3 * SIZE


def test_clones_and_restored_snapshots_are_held_too(pool: HostPool) -> None:
    write(make(pool, "pvc-1") / "file", SIZE // 2)
    pool.take("snap", "pvc-1", 0.0, threading.Event())
    clone = make(pool, "pvc-2", SIZE, Content(Kind.VOLUME, "pvc-1"))
    restored = make(pool, "pvc-3", 2 * SIZE, Content(Kind.SNAPSHOT, "snap"))

    assert quotas.limit_of(clone) == SIZE
    assert quotas.limit_of(restored) == 2 * SIZE
    for each in (clone, restored):
        with pytest.raises(OSError, match=r"(?i)no space|quota"):
            write(each / "more", 2 * SIZE)


def test_a_removed_volume_frees_its_number(pool: HostPool) -> None:
    for _ in range(3):
        write(make(pool, "pvc-1") / "file", MIB)
        pool.erase("pvc-1")
    volume = make(pool, "pvc-1", 2 * SIZE)

    assert quotas.limit_of(volume) == 2 * SIZE


def test_what_was_there_before_is_not_held(pool: HostPool) -> None:
    old = pool.pool.root / "pvc-old"
    old.mkdir()
    (old / "file").touch()
    pool.pool.make("pvc-old", Mode.FILESYSTEM, SIZE)

    assert quotas.limit_of(old) == 0


def test_where_there_are_no_quotas_nothing_is_held(tmp_path: Path) -> None:
    with filesystems.mounted("tmpfs", tmp_path) as place:
        made = HostPool(PoolSettings(name="local", path=str(place / "csi")))
        made.prepare()
        volume = make(made, "pvc-1")

        assert not quotas.enforced(place)
        assert quotas.limit_of(volume) == 0
        assert made.capacity("pvc-1") > SIZE
