"""qcow2 images of changes, written over the disk that they build on as `qemu-img commit` does."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.sources.file import FileSource
from cdi.images.sources.source import Identity
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import disks, loopdev

MIB = 1 << 20
SIZE = 8 * MIB + 1536  # ends within a cluster
BASE = "3f5c-base"

LAYOUTS = [
    pytest.param("cluster_size=64k", id="64k"),
    pytest.param("cluster_size=512", id="512"),
    pytest.param("cluster_size=2M", id="2M"),
    pytest.param("compat=0.10", id="version-2"),
    pytest.param("extended_l2=on,cluster_size=128k", id="subclusters"),
    pytest.param("compression_type=zstd", id="zstd"),
]


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / BASE).write_bytes(random.Random(2).randbytes(SIZE))
    return tmp_path / BASE


def delta_of(base: Path, options: str = "cluster_size=64k", size: int = SIZE) -> Path:
    """Make changes of all kinds: data, packed data, zeros with and without a cluster, discards."""
    image = base.with_name("delta.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-o", options, "-b", base, image,
        str(size))  # fmt: skip
    rng = random.Random(options)
    pack = "2M" if "2M" in options else "128k"
    commands = [f"write -c -P 7 2M {pack}", "write -z 4M 300k", "write -z 4800k 2560"]
    for number in range(12):
        at, length = rng.randrange(SIZE // 512 - 300) * 512, rng.randrange(1, 300) * 512
        commands.append(f"write -P {number + 1} {at} {length}")
    commands += [f"write -z {SIZE - 1536} 1536", "write -z -u 1M 512k", "write -P 0 3M 64k"]
    run("qemu-io", "-f", "qcow2", "-d", "unmap",
        *(part for each in commands for part in ("-c", each)), image)  # fmt: skip
    return image


def committed(base: Path, delta: Path) -> bytes:
    """What the disk is after the changes, by qemu's own word."""
    copy, changes = base.with_name("copy"), base.with_name("changes")
    shutil.copy(base, copy)
    shutil.copy(delta, changes)
    run("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", copy, changes)
    run("qemu-img", "commit", "-q", "-f", "qcow2", changes)
    return copy.read_bytes()


def update(delta: Path, target: Path, base: str = BASE, **wishes: object) -> Result:
    wanted = {"source": lambda _: FileSource(delta), "update": True, "base": base}
    order = TransferRequest(target=target, **(wanted | wishes))
    return transfer.run(order, Meter(), threading.Event())


@pytest.mark.parametrize("options", LAYOUTS)
def test_changes_are_written_as_qemu_would(options: str, base: Path) -> None:
    delta = delta_of(base, options)
    want = committed(base, delta)
    result = update(delta, base)
    assert base.read_bytes() == want
    assert result.written < SIZE


@loopdev.needs_root
def test_changes_are_written_to_a_device(base: Path, tmp_path: Path) -> None:
    delta = delta_of(base)
    want = committed(base, delta)
    behind = b"behind" * 512
    base.write_bytes(base.read_bytes() + bytes(-SIZE % 4096) + behind * 4)
    with loopdev.device(base) as device:
        update(delta, device, journal=tmp_path / "journal")
        with device.open("rb") as found:
            assert found.read(SIZE) == want
            assert found.read()[-len(behind) :] == behind


def test_a_disk_that_grew_meanwhile_grows(base: Path) -> None:
    delta = delta_of(base, size=SIZE + 2 * MIB)
    update(delta, base)
    assert base.stat().st_size == SIZE + 2 * MIB
    assert base.read_bytes()[SIZE:] == bytes(2 * MIB)


class Forward(FileSource):
    """A source that can only be read once."""

    ranged = False

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return super().stream(0, self.size)


def test_changes_that_come_as_a_stream_take_a_copy(base: Path, tmp_path: Path) -> None:
    delta = delta_of(base)
    want = committed(base, delta)
    with pytest.raises(errors.NeedsScratch):
        update(delta, base, source=lambda _: Forward(delta))
    update(delta, base, source=lambda _: Forward(delta), scratch=tmp_path / "scratch")
    assert base.read_bytes() == want
    assert not (tmp_path / "scratch").exists()


class Broken(FileSource):
    """Ends in the middle, or does not, and counts what was read."""

    def __init__(self, path: Path, breaks_at: int = 1 << 60) -> None:
        super().__init__(path)
        self.identity = Identity("changes", self.size, "1")
        self._breaks_at = breaks_at
        self.read = 0

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        for piece in super().stream(start, end):
            if self.read > self._breaks_at:
                raise errors.ConnectionLost("broken on purpose")
            self.read += len(piece)
            yield piece


def test_interrupted_changes_are_continued(base: Path) -> None:
    delta = delta_of(base)
    want = committed(base, delta)
    first, second = Broken(delta, delta.stat().st_size // 2), Broken(delta)
    with pytest.raises(errors.ConnectionLost):
        update(delta, base, source=lambda _: first, connections=1)
    assert update(delta, base, source=lambda _: second).resumed
    assert base.read_bytes() == want


REFUSED = [
    pytest.param("other", errors.CorruptImage, "build on", id="of-another-disk"),
    pytest.param("f5c-base", errors.CorruptImage, "build on", id="of-a-longer-name"),
]


@pytest.mark.parametrize(("name", "error", "words"), REFUSED)
def test_changes_of_another_disk_are_refused(
    name: str, error: type[Exception], words: str, base: Path
) -> None:
    before = base.read_bytes()
    with pytest.raises(error, match=words):
        update(delta_of(base), base, name)
    assert base.read_bytes() == before


def test_an_image_of_a_whole_disk_is_no_change(base: Path) -> None:
    whole = disks.convert(base, "qcow2")
    with pytest.raises(errors.CorruptImage, match="do not say which disk"):
        update(whole, base)


def test_without_that_mode_a_backing_file_stays_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.UnsafeImage):
        update(delta_of(base), tmp_path / "new", base=None, update=False)
