import concurrent.futures
import os
import random
import subprocess

import pytest

from cdi.images import errors
from cdi.images.sources import file, source

DATA = random.Random(21).randbytes(2 * source.PIECE + 99)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(DATA)
    return path


def test_a_file_gives_any_part_in_bounded_pieces(disk):
    with file.FileSource(disk) as opened:
        assert (opened.ranged, opened.size) == (True, len(DATA))
        assert source.read(opened, 100, 50) == DATA[100:150]
        pieces = list(opened.stream())
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) == source.PIECE


def test_threads_share_one_file(disk):
    with file.FileSource(disk) as opened, concurrent.futures.ThreadPoolExecutor(4) as threads:
        parts = threads.map(lambda at: source.read(opened, at, 10_000), range(0, 200_000, 10_000))
        assert b"".join(parts) == DATA[:200_000]


def test_identity_changes_with_the_file(disk):
    with file.FileSource(disk) as opened:
        before = opened.identity
    os.utime(disk, ns=(1, 1))
    with file.FileSource(disk) as opened:
        assert opened.identity != before
        assert opened.identity.location == before.location


def test_identity_follows_links(disk, tmp_path):
    (tmp_path / "link").symlink_to(disk)
    with file.FileSource(disk) as one, file.FileSource(tmp_path / "link") as other:
        assert one.identity == other.identity


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(lambda path: None, errors.NotFound, id="missing"),
        pytest.param(lambda path: path.mkdir(), errors.InvalidRequest, id="directory"),
        pytest.param(os.mkfifo, errors.InvalidRequest, id="pipe"),
        pytest.param(
            lambda path: path.symlink_to("/dev/null"), errors.InvalidRequest, id="character-device"
        ),
        pytest.param(lambda path: path.symlink_to(path), errors.InvalidRequest, id="loop"),
    ],
)
def test_what_is_no_disk_is_refused_at_once(tmp_path, make, error):
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(error, match="thing"):
        file.FileSource(path)


def test_a_path_that_cannot_be_is_refused():
    with pytest.raises(errors.InvalidRequest):
        file.FileSource("a\0b")


def test_bytes_beyond_the_end_are_refused(disk):
    with file.FileSource(disk) as opened, pytest.raises(errors.TruncatedSource):
        opened.stream(0, len(DATA) + 1)


def test_a_file_cut_while_it_is_read_is_noticed(disk):
    with file.FileSource(disk) as opened:
        reader = opened.stream()
        next(reader)
        os.truncate(disk, source.PIECE)
        with pytest.raises(errors.TruncatedSource):
            next(reader)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")
def test_a_block_device_has_its_size(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(DATA[: source.PIECE])
    made = subprocess.run(
        ["losetup", "--find", "--show", path], capture_output=True, text=True, check=True
    )
    device = made.stdout.strip()
    try:
        with file.FileSource(device) as opened:
            assert opened.size == source.PIECE
            assert b"".join(opened.stream()) == DATA[: source.PIECE]
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
