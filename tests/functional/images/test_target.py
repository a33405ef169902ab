"""Files and block devices as targets: sparse, exact, never showing old data."""

from __future__ import annotations

import errno
import itertools
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdi.images import errors, storage_calls, target
from cdi.images.writes import Write
from support import filesystems, loopdev

MIB = 1 << 20


@settings(deadline=None)
@given(
    st.integers(0, 9000),
    st.lists(
        st.tuples(st.sampled_from([b"\0", b"x"]), st.integers(1, 9000)), min_size=1, max_size=12
    ),
)
def test_data_runs_leave_out_whole_zero_blocks_only(offset, parts):
    data = b"".join(byte * length for byte, length in parts)
    runs = list(target.data_runs(data, offset))
    rest, at = bytearray(data), 0
    for start, end in runs:
        assert at <= start < end <= len(data)
        rest[start:end] = bytes(end - start)
        at = end
    assert not any(rest), "everything that is not zero is in a run"
    for start, end in runs:
        for low in range(start, end):
            block = (offset + low) // target.BLOCK
            first = max(block * target.BLOCK - offset, 0)
            last = min((block + 1) * target.BLOCK - offset, len(data))
            assert any(data[first:last]), "a block of zeros was taken for data"
            break


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with target.FileTarget(path, MIB) as disk:
        disk.write([Write(0, b"data"), Write(8192, b"more")])
        assert not path.exists()
        disk.finish(2 * MIB)
    assert path.stat().st_size == 2 * MIB
    assert path.stat().st_mode & 0o777 == 0o660
    assert path.read_bytes()[:4] == b"data"
    assert sorted(tmp_path.iterdir()) == [path]


def test_zeros_are_holes(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with target.FileTarget(path, 8 * MIB) as disk:
        disk.write([Write(0, bytes(4 * MIB) + b"x" * 4096 + bytes(4 * MIB - 4096))])
        assert disk.written == 4096
        disk.finish(8 * MIB)
    assert path.stat().st_blocks * 512 <= 64 << 10


def test_pieces_at_odd_places_land_where_they_belong(tmp_path: Path) -> None:
    rng = random.Random(3)
    want = bytearray(rng.randbytes(300_000))
    want[50_000:120_000] = bytes(70_000)
    cuts = sorted({0, len(want), *rng.sample(range(len(want)), 60)})
    pieces = [Write(a, bytes(want[a:b])) for a, b in itertools.pairwise(cuts)]
    with target.FileTarget(tmp_path / "a", len(want)) as disk:
        disk.write(pieces)
        disk.finish(len(want))
    rng.shuffle(pieces)
    with target.FileTarget(tmp_path / "b", len(want)) as disk:
        for piece in pieces:
            disk.write([Write(piece.offset, memoryview(bytes(piece.data)))])
        disk.finish(len(want))
    assert (tmp_path / "a").read_bytes() == want
    assert (tmp_path / "b").read_bytes() == want


def test_only_one_may_write_a_disk(tmp_path: Path) -> None:
    with target.FileTarget(tmp_path / "disk.img", MIB):
        with pytest.raises(errors.TargetFailed, match="another import"):
            target.FileTarget(tmp_path / "disk.img", MIB, resume=True)
        with pytest.raises(errors.TargetFailed, match="another import"):
            target.remove_partial(tmp_path / "disk.img")
    target.remove_partial(tmp_path / "disk.img")


def test_a_link_under_the_partial_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target.partial_path(tmp_path / "disk.img").symlink_to(victim)
    with pytest.raises(errors.TargetFailed):
        target.FileTarget(tmp_path / "disk.img", MIB, resume=True)
    assert victim.read_bytes() == b"precious"


def test_preallocated_blocks_are_there_and_read_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with target.FileTarget(path, 4 * MIB, preallocate=True) as disk:
        disk.write([Write(MIB, b"x")])
        disk.finish(6 * MIB)
    assert path.stat().st_blocks * 512 >= 6 * MIB
    assert path.read_bytes() == bytes(MIB) + b"x" + bytes(5 * MIB - 1)


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("kind", filesystems.KINDS)
def test_a_preallocated_disk_may_take_all_there_is_and_be_continued(
    tmp_path: Path, kind: str
) -> None:
    with filesystems.mounted(kind, tmp_path) as small:
        room = os.statvfs(small)
        path, size = small / "disk.img", (room.f_bavail * room.f_frsize // MIB - 2) * MIB
        with target.FileTarget(path, size, preallocate=True) as disk:
            disk.write([Write(MIB, b"x")])
        with target.FileTarget(path, size, resume=True, preallocate=True) as disk:
            disk.already([(MIB, MIB + 1)])
            disk.write([Write(3 * MIB, b"y")])
            disk.finish(size)
        assert path.stat().st_size == size
        assert path.stat().st_blocks * 512 >= size
        with path.open("rb") as found:
            assert found.read(4 * MIB).strip(b"\0").replace(b"\0", b"") == b"xy"


@loopdev.needs_root
@pytest.mark.root
def test_blocks_are_given_to_what_has_none_and_what_is_written_stays(tmp_path: Path) -> None:
    with filesystems.mounted("xfs", tmp_path) as place, (place / "disk").open("w+b") as file:
        for at in range(0, 600 * 8192, 8192):  # more extents than are asked for at once
            os.pwrite(file.fileno(), b"x" * 4096, at)
        os.fsync(file.fileno())
        assert storage_calls.allocate(file.fileno(), 600 * 8192 - 4096)
        assert os.fstat(file.fileno()).st_blocks * 512 >= 600 * 8192 - 4096
        assert os.pread(file.fileno(), 600 * 8192, 0) == (b"x" * 4096 + bytes(4096)) * 599 + (
            b"x" * 4096
        )


def test_more_than_there_is_room_for_is_not_even_begun(tmp_path: Path) -> None:
    with pytest.raises(errors.NoSpace):
        target.FileTarget(tmp_path / "disk.img", 1 << 50, preallocate=True)
    with pytest.raises(errors.NoSpace):
        target.FileTarget(tmp_path / "disk.img", 1 << 42, preallocate=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        pytest.param(errno.ENOSPC, errors.NoSpace, "no space left on device", id="full"),
        pytest.param(errno.EDQUOT, errors.NoSpace, "larger volume", id="quota"),
        pytest.param(errno.EIO, errors.TargetFailed, "reported an error", id="broken-disk"),
        pytest.param(errno.EROFS, errors.TargetFailed, "not allowed", id="read-only"),
        pytest.param(errno.EBUSY, errors.TargetFailed, "in use", id="mounted"),
        pytest.param(errno.ENOENT, errors.TargetFailed, "does not exist", id="no-directory"),
    ],
)
def test_a_storage_error_says_what_it_is(code, kind, words):
    seen = target.target_error(OSError(code, os.strerror(code)), "/data/disk.img")
    assert type(seen) is kind
    assert words in str(seen)


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("sector", ["512", "4096"])
@pytest.mark.parametrize("offloads", [True, False], ids=["zeroes-itself", "cannot-zero"])
def test_a_device_shows_nothing_of_what_was_on_it(
    sector: str, offloads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.write_bytes(random.Random(1).randbytes(4 * MIB))
    if not offloads:
        monkeypatch.setattr(storage_calls, "punch", lambda *_: False)
    with loopdev.device(old, "--sector-size", sector) as path:
        with target.BlockTarget(path, 3 * MIB) as disk:
            assert disk.zeroed is offloads
            disk.write([Write(0, b"boot" + bytes(100_000)), Write(2 * MIB + 512, b"y" * 5000)])
            disk.finish(3 * MIB)
        want = bytearray(4 * MIB)
        want[:4] = b"boot"
        want[2 * MIB + 512 : 2 * MIB + 5512] = b"y" * 5000
        assert path.read_bytes() == want


@loopdev.needs_root
@pytest.mark.root
def test_a_device_that_is_too_small_is_left_alone(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"old" * 1000 + bytes(MIB - 3000))
    with loopdev.device(old) as path:
        with pytest.raises(errors.TooSmall):
            target.BlockTarget(path, 2 * MIB)
        assert path.read_bytes() == old.read_bytes()


@loopdev.needs_root
@pytest.mark.root
def test_a_device_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(MIB))
    with (
        loopdev.device(tmp_path / "file") as path,
        target.BlockTarget(path, MIB),
        pytest.raises(errors.TargetFailed, match="in use"),
    ):
        target.BlockTarget(path, MIB)
