"""Clones and snapshots of volumes, on file systems that share data and on those that do not."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.volumes import copying, errors, trees
from cdi.volumes.pool import Mode, Pool
from cdi.volumes.snapshots import Snapshots
from support import filesystems, loopdev

pytestmark = [loopdev.needs_root, pytest.mark.root]

MIB = 1 << 20
SIZE = 48 * MIB
SHARING = ("xfs", "btrfs")


@pytest.fixture(scope="module", params=["xfs", "ext4", "btrfs", "ext2", "tmpfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def mounted(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with filesystems.mounted(kind, tmp_path_factory.mktemp("pool"), 512) as path:
        yield path


@pytest.fixture
def pool(mounted: Path, request: pytest.FixtureRequest) -> Pool:
    pool = Pool(mounted / str(abs(hash(request.node.name))), devices=False)
    pool.ensure()
    return pool


def disk_of(pool: Pool, volume: str) -> Path:
    return pool.directory(volume) / "disk.img"


def filled(pool: Pool, volume: str = "source") -> bytes:
    """Make a Block volume with data at its begin, in its middle and at its end; return that."""
    pool.make(volume, Mode.BLOCK, SIZE)
    with disk_of(pool, volume).open("r+b") as disk:
        for offset, letter in ((0, b"a"), (17 * MIB + 512, b"b"), (SIZE - 4096, b"c")):
            disk.seek(offset)
            disk.write(letter * 4096)
    return disk_of(pool, volume).read_bytes()


def held(path: Path) -> int:
    """Bytes that a file takes, once the file system has said where."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        return os.fstat(fd).st_blocks * 512
    finally:
        os.close(fd)


def test_a_clone_is_the_same_disk_with_the_same_holes(pool: Pool, kind: str) -> None:
    content = filled(pool)
    pool.clone("source", "clone", Mode.BLOCK, SIZE)
    assert disk_of(pool, "clone").read_bytes() == content
    # Without extents, whatever may hold data is copied by its blocks.
    assert held(disk_of(pool, "clone")) <= MIB


def test_a_clone_shares_its_data_where_it_can(pool: Pool, kind: str, mounted: Path) -> None:
    filled(pool)
    with disk_of(pool, "source").open("rb") as source, (mounted / "new").open("w+b") as target:
        copied = copying.copy_file(source.fileno(), target.fileno())
    assert copied.shared is (kind in SHARING)
    assert (copied.data > 0) is (kind not in SHARING)
    assert copied.data <= (SIZE if kind == "ext2" else MIB)


def test_writing_to_one_leaves_the_other_alone(pool: Pool) -> None:
    content = filled(pool)
    pool.clone("source", "clone", Mode.BLOCK, SIZE)
    with disk_of(pool, "source").open("r+b") as disk:
        disk.write(b"x" * MIB)
    assert disk_of(pool, "clone").read_bytes() == content


def test_a_clone_may_be_larger_but_not_smaller(pool: Pool) -> None:
    content = filled(pool)
    pool.clone("source", "larger", Mode.BLOCK, SIZE + MIB)
    assert disk_of(pool, "larger").read_bytes() == content + bytes(MIB)
    with pytest.raises(errors.TooSmall, match="too few for a disk"):
        pool.clone("source", "smaller", Mode.BLOCK, SIZE - 1)
    assert pool.volumes() == ["larger", "source"]


def test_a_clone_is_made_once(pool: Pool) -> None:
    filled(pool)
    pool.clone("source", "clone", Mode.BLOCK, SIZE)
    with disk_of(pool, "clone").open("r+b") as disk:
        disk.write(b"written since")
    pool.clone("source", "clone", Mode.BLOCK, SIZE)
    assert disk_of(pool, "clone").read_bytes().startswith(b"written since")


def test_a_clone_that_was_cut_short_is_no_volume(pool: Pool) -> None:
    content = filled(pool)
    half = pool.root / ".new-clone"
    half.mkdir()
    (half / "disk.img").write_bytes(b"half")
    assert pool.volumes() == ["source"]
    pool.clone("source", "clone", Mode.BLOCK, SIZE)
    assert disk_of(pool, "clone").read_bytes() == content
    half.mkdir()
    pool.tidy()
    assert not half.exists()


def test_a_cancelled_clone_leaves_nothing(pool: Pool, kind: str) -> None:
    filled(pool)
    cancel = threading.Event()
    cancel.set()
    if kind in SHARING:
        pytest.skip("it is made before anybody could cancel it")
    with pytest.raises(errors.Cancelled):
        pool.clone("source", "clone", Mode.BLOCK, SIZE, cancel)
    assert [path.name for path in pool.root.iterdir()] == ["source"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with filesystems.mounted("ext4", tmp_path, 64) as mounted:
        pool = Pool(mounted / "pool", devices=False)
        pool.ensure()
        pool.make("source", Mode.BLOCK, 40 * MIB)
        disk_of(pool, "source").write_bytes(os.urandom(40 * MIB))
        with pytest.raises(OSError, match="No space left"):
            pool.clone("source", "clone", Mode.BLOCK, 40 * MIB)
        assert [path.name for path in pool.root.iterdir()] == ["source"]


def test_a_source_that_is_written_to_is_found_out(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"a" * MIB)
    cancel = Writes(source)
    with (
        filesystems.mounted("ext4", tmp_path) as mounted,
        source.open("rb") as old,
        (mounted / target.name).open("w+b") as new,
        pytest.raises(errors.Changed, match="written to while it was copied"),
    ):
        copying.copy_file(old.fileno(), new.fileno(), cancel)


class Writes(threading.Event):
    """Never set; whoever asks has the file written to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def is_set(self) -> bool:
        with self._file.open("r+b") as file:
            file.write(b"new")
        os.utime(self._file, ns=(0, 0))
        return False


# Filesystem volumes.


def tree(root: Path) -> None:
    (root / "folder" / "empty").mkdir(parents=True)
    (root / "folder").chmod(0o751)
    file = root / "folder" / "file"
    file.write_bytes(b"content" * 1000)
    file.chmod(0o640)
    os.chown(file, 107, 108)
    os.utime(file, ns=(1_000_000_000, 2_000_000_001))
    os.link(file, root / "again")
    (root / "link").symlink_to("/etc/passwd")
    os.chown(root / "link", 107, 108, follow_symlinks=False)
    os.mkfifo(root / "fifo", 0o600)
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(8 * MIB)


def told(root: Path) -> dict[str, tuple[object, ...]]:
    """What can be seen of a tree: kind, mode, owner, size, time, content, other names."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: object = b""
        if path.is_symlink():
            content = path.readlink()
        elif path.is_file():
            content = path.read_bytes()
        times = status.st_mtime_ns if stat.S_ISREG(status.st_mode) else 0
        found[str(path.relative_to(root))] = (
            status.st_mode, status.st_uid, status.st_gid, times, content,
            status.st_nlink if stat.S_ISREG(status.st_mode) else 0,
        )  # fmt: skip
    return found


def test_a_directory_is_cloned_with_all_that_is_known_of_it(pool: Pool, kind: str) -> None:
    source = pool.make("source", Mode.FILESYSTEM, 0)
    tree(source)
    if kind not in ("ext2", "tmpfs"):
        os.setxattr(source / "again", "user.note", b"kept")
    clone = pool.clone("source", "clone", Mode.FILESYSTEM, 0)
    assert told(clone) == told(source)
    assert (clone / "again").samefile(clone / "folder" / "file")
    assert os.listxattr(clone / "again") == os.listxattr(source / "again")
    assert (clone / "sparse").stat().st_blocks <= (source / "sparse").stat().st_blocks
    assert pool.usage("clone").files == pool.usage("source").files


def test_devices_are_not_cloned(pool: Pool) -> None:
    source = pool.make("source", Mode.FILESYSTEM, 0)
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with pytest.raises(errors.Unsupported, match="null is a device"):
        pool.clone("source", "clone", Mode.FILESYSTEM, 0)
    assert pool.volumes() == ["source"]


def test_what_is_mounted_inside_is_not_cloned(pool: Pool, tmp_path: Path) -> None:
    source = pool.make("source", Mode.FILESYSTEM, 0)
    (source / "on-tmpfs").mkdir()
    (source / "on-tmpfs").rmdir()
    with (
        filesystems.mounted("tmpfs", source),
        pytest.raises(errors.Unsupported, match="mounted at on-tmpfs"),
    ):
        pool.clone("source", "clone", Mode.FILESYSTEM, 0)


def test_directories_in_each_other_have_an_end(pool: Pool) -> None:
    source = pool.make("source", Mode.FILESYSTEM, 0)
    (source / Path(*["d"] * 300)).mkdir(parents=True)
    with pytest.raises(errors.Unsupported, match="directories in each other"):
        pool.clone("source", "clone", Mode.FILESYSTEM, 0)
    assert pool.volumes() == ["source"]


# Snapshots.


@pytest.mark.parametrize("mode", Mode)
def test_a_snapshot_holds_what_the_volume_held(pool: Pool, mode: Mode) -> None:
    snapshots = Snapshots(pool)
    content = filled(pool)
    taken = snapshots.take("source", "snap", mode, SIZE, 1000.5)
    disk_of(pool, "source").write_bytes(b"other")
    assert snapshots.take("source", "snap", mode, SIZE, 2000.5) == taken
    snapshots.restore("snap", "restored", SIZE)
    assert disk_of(pool, "restored").read_bytes() == content
    assert (taken.volume, taken.mode, taken.size, taken.taken) == ("source", mode, SIZE, 1000.5)
    assert snapshots.all() == [taken]


def test_a_snapshot_does_not_need_its_volume_nor_a_volume_its_snapshot(pool: Pool) -> None:
    snapshots = Snapshots(pool)
    content = filled(pool)
    snapshots.take("source", "snap", Mode.BLOCK, SIZE, 0)
    pool.erase("source")
    snapshots.restore("snap", "restored", SIZE + MIB)
    snapshots.erase("snap")
    snapshots.erase("snap")
    assert disk_of(pool, "restored").read_bytes() == content + bytes(MIB)
    assert snapshots.all() == []
    with pytest.raises(errors.Missing, match="there is no snapshot snap"):
        snapshots.restore("snap", "another", SIZE)
    assert pool.volumes() == ["restored"]


def test_a_restored_volume_may_be_written_and_the_snapshot_not(pool: Pool) -> None:
    snapshots = Snapshots(pool)
    filled(pool)
    snapshots.take("source", "snap", Mode.BLOCK, SIZE, 0)
    snapshots.restore("snap", "restored", SIZE)
    kept = pool.root / ".snapshots" / "snap" / "data" / "disk.img"
    assert stat.S_IMODE(kept.stat().st_mode) & 0o222 == 0
    assert disk_of(pool, "restored").stat().st_mode & 0o200
    with pytest.raises(errors.TooSmall):
        snapshots.restore("snap", "smaller", SIZE - 1)


def test_a_snapshot_that_was_cut_short_is_none(pool: Pool) -> None:
    snapshots = Snapshots(pool)
    filled(pool)
    snapshots.take("source", "snap", Mode.BLOCK, SIZE, 0)
    (pool.root / ".snapshots" / "snap").rename(pool.root / ".snapshots" / ".new-snap")
    assert snapshots.all() == []
    snapshots.tidy()
    assert list((pool.root / ".snapshots").iterdir()) == []


def test_usage_counts_what_is_allocated_once(pool: Pool) -> None:
    source = pool.make("source", Mode.FILESYSTEM, 0)
    (source / "file").write_bytes(os.urandom(4 * MIB))
    held(source / "file")
    os.link(source / "file", source / "again")
    with (source / "sparse").open("wb") as sparse:
        sparse.truncate(SIZE)
    found = trees.usage(source)
    assert 4 * MIB <= found.bytes < 5 * MIB
    assert pool.space().size > pool.space().available > 0
