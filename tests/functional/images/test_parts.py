"""A disk that travels inside an archive is cut out of it on the way, whatever packs the archive."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.layout import Part
from cdi.images.sources.file import FileSource
from cdi.images.sources.stream import StreamSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import disks

MIB = 1 << 20
PACKED = ["", "gz", "zst", "xz-blocks"]


@dataclass(frozen=True)
class Archive:
    """A tar with one disk among other files."""

    path: Path
    part: Part

    @property
    def digest(self) -> tuple[str, str]:
        return "sha256", hashlib.sha256(self.path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    disk = disks.raw_disk(tmp_path_factory.mktemp("part") / "disk.raw", 24 * MIB, 6 * MIB)
    for layout in ("qcow2", "qcow2-zlib", "vdi"):
        disks.convert(disk, layout)
    disks.compress(disk, "gz")
    return disk


def archived(disk: Path) -> Archive:
    """Put a disk into a tar, between two other files."""
    path = disk.with_name(f"{disk.name}.tar")
    with tarfile.open(path, "w") as tar:
        for name, content in (("before", b"b" * 5000), ("", b""), ("after", b"a" * 3 * MIB)):
            if not name:
                tar.add(disk, "disk/disk.img")
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with tarfile.open(path) as tar:
        found = tar.getmember("disk/disk.img")
    return Archive(path, Part(found.offset_data, found.size, found.size))


def run(order: TransferRequest) -> Result:
    return transfer.run(order, Meter(), threading.Event())


def of_file(path: Path, target: Path, **wishes: object) -> TransferRequest:
    return TransferRequest(source=lambda _: FileSource(path), target=target, **wishes)


@pytest.fixture(params=["raw", "qcow2", "qcow2-zlib", "raw.gz"])
def archive(raw: Path, request: pytest.FixtureRequest) -> Archive:
    return archived(raw.with_name(f"disk.{request.param}"))


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("verified", [False, True], ids=["unverified", "verified"])
def test_the_disk_comes_out_of_the_archive(archive, raw, packed, verified, tmp_path):
    path = disks.compress(archive.path, packed) if packed else archive.path
    digest = Archive(path, archive.part).digest if verified else None
    done = run(of_file(path, tmp_path / "disk.img", part=archive.part, checksum=digest))
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert done.digest == digest
    assert done.written <= 1.02 * disks.nonzero_bytes(raw)


@pytest.mark.parametrize("packed", ["", "zst"])
def test_the_disk_comes_out_of_a_stream(archive, raw, packed, tmp_path):
    path = disks.compress(archive.path, packed) if packed else archive.path
    with path.open("rb") as file:
        order = TransferRequest(
            source=lambda cancel: StreamSource(file.fileno(), "a pipe", cancel),
            target=tmp_path / "disk.img",
            part=archive.part,
        )
        run(order)
    assert disks.differs(raw, tmp_path / "disk.img") == ""


def test_a_format_that_needs_a_tool_is_copied_out_first(raw, tmp_path):
    archive = archived(raw.with_name("disk.vdi"))
    scratch = tmp_path / "scratch"
    run(of_file(archive.path, tmp_path / "disk.img", part=archive.part, scratch=scratch))
    assert disks.differs(raw, tmp_path / "disk.img") == ""
    assert not scratch.exists()


@pytest.mark.parametrize("packed", ["", "gz"])
def test_a_sparse_disk_gets_its_holes_back(packed, tmp_path):
    disk = tmp_path / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(9 * MIB)
        for at in (0, 4 * MIB, 6 * MIB):
            file.seek(at)
            file.write(b"\xeb" + bytes([at % 251 + 1]) * (MIB - 1))
    stored = ((0, MIB), (4 * MIB, MIB), (6 * MIB, MIB))
    content = disk.read_bytes()
    packing = tmp_path / "archive"
    packing.write_bytes(
        b"h" * 512 + b"".join(content[at : at + length] for at, length in stored) + b"t" * 512
    )
    path = disks.compress(packing, packed) if packed else packing
    part = Part(512, 3 * MIB, 9 * MIB, stored)
    run(of_file(path, tmp_path / "disk.img", part=part))
    assert disks.differs(disk, tmp_path / "disk.img") == ""


@pytest.mark.parametrize("packed", ["", "gz"])
def test_an_archive_that_ends_inside_the_disk_is_truncated(raw, packed, tmp_path):
    archive = archived(raw)
    path = disks.compress(archive.path, packed) if packed else archive.path
    part = Part(archive.part.start, archive.path.stat().st_size, archive.part.size)
    with pytest.raises(errors.TruncatedSource):
        run(of_file(path, tmp_path / "disk.img", part=part))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_digest_of_the_archive_leaves_no_disk(raw, tmp_path):
    archive = archived(raw)
    with pytest.raises(errors.ChecksumMismatch):
        run(
            of_file(
                archive.path,
                tmp_path / "disk.img",
                part=archive.part,
                checksum=("sha256", "0" * 64),
            )
        )
    assert list(tmp_path.iterdir()) == []


class Breaking(FileSource):
    """Fails after so many bytes of one run."""

    def __init__(self, path: Path, left: int) -> None:
        super().__init__(path)
        self._left = left
        self.given = 0

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        for piece in super().stream(start, end):
            if self.given + len(piece) > self._left:
                raise errors.ConnectionLost("the line is cut on purpose")
            self.given += len(piece)
            yield piece


@pytest.mark.parametrize(("packed", "breaks_at"), [("", 0.5), ("xz-blocks", 0.9)])
def test_an_interrupted_archive_is_continued(packed, breaks_at, tmp_path):
    raw = disks.text_disk(tmp_path / "even.raw", 32 * MIB, 32 * MIB)
    archive = archived(raw)
    path = disks.compress(archive.path, packed) if packed else archive.path
    whole, given = path.stat().st_size, 0
    target = tmp_path / "disk.img"
    broken = Breaking(path, int(whole * breaks_at))
    with pytest.raises(errors.ConnectionLost):
        run(TransferRequest(source=lambda _: broken, target=target, part=archive.part))
    given += broken.given
    rest = Breaking(path, 2 * whole)
    done = run(TransferRequest(source=lambda _: rest, target=target, part=archive.part))
    assert disks.differs(raw, target) == ""
    assert done.resumed
    assert given + rest.given < 1.6 * whole


def test_a_pipe_is_imported_by_the_command(raw, tmp_path):
    packed = disks.compress(raw, "zst")
    with packed.open("rb") as file:
        subprocess.run(
            [sys.executable, "-m", "cdi", "import", "-", "-o", str(tmp_path / "disk.img")],
            stdin=file,
            check=True,
        )
    assert disks.differs(raw, tmp_path / "disk.img") == ""
