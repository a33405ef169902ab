"""Whole imports of real images from a real nginx: the disk must be what qemu-img would make."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import disks, importing, nginx

SIZE = 12 << 20
LAYOUTS = ["raw", *disks.CONVERTED]
STREAMED = ["raw", "qcow2", "qcow2-zlib", "vmdk-stream"]
WITHOUT_SCRATCH = [name for name in LAYOUTS if name.startswith(("raw", "qcow2", "vmdk"))]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    disk = disks.raw_disk(folder / "disk.raw", SIZE, 4 << 20)
    made = {"raw": disk} | {layout: disks.convert(disk, layout) for layout in disks.CONVERTED}
    for layout in STREAMED:
        for kind in disks.COMPRESSORS:
            disks.compress(made[layout], kind)
    return folder


@pytest.fixture(scope="module")
def ranged(images: Path) -> Iterator[nginx.Nginx]:
    with nginx.Nginx(images) as server:
        yield server


@pytest.fixture(scope="module")
def unranged(images: Path) -> Iterator[nginx.Nginx]:
    with nginx.Nginx(images, nginx.Settings(ranges=False)) as server:
        yield server


def check(url: str, images: Path, output: Path, *options: str) -> importing.Outcome:
    seen = importing.run(url, output, *options)
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(images / "disk.raw", output) == ""
    assert importing.leftovers(output) == []
    assert output.stat().st_mode & 0o777 == 0o660
    return seen


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_of_every_format_arrives_over_ranges(
    layout: str, images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    seen = check(ranged.url(f"disk.{layout}"), images, tmp_path / "disk.img")
    data = disks.nonzero_bytes(images / "disk.raw")
    assert seen.last["bytesWritten"] >= 0.98 * data
    if layout in WITHOUT_SCRATCH:
        assert seen.last["bytesWritten"] <= 1.02 * data
        assert (tmp_path / "disk.img").stat().st_blocks * 512 <= 1.05 * data


@pytest.mark.parametrize("layout", [*LAYOUTS])
def test_a_disk_of_every_format_arrives_without_ranges(
    layout: str, images: Path, unranged: nginx.Nginx, tmp_path: Path
) -> None:
    check(unranged.url(f"disk.{layout}"), images, tmp_path / "disk.img")


@pytest.mark.parametrize("kind", disks.COMPRESSORS)
@pytest.mark.parametrize("layout", STREAMED)
def test_a_compressed_disk_arrives(
    layout: str, kind: str, images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    seen = check(ranged.url(f"disk.{layout}.{kind}"), images, tmp_path / "disk.img")
    assert seen.last["bytesWritten"] <= 1.02 * disks.nonzero_bytes(images / "disk.raw")


@pytest.mark.parametrize("kind", ["gz", "xz-blocks"])
def test_a_compressed_disk_arrives_without_ranges(
    kind: str, images: Path, unranged: nginx.Nginx, tmp_path: Path
) -> None:
    check(unranged.url(f"disk.qcow2.{kind}"), images, tmp_path / "disk.img")


def test_a_file_is_a_source_too(images: Path, tmp_path: Path) -> None:
    check(str(images / "disk.qcow2-zlib"), images, tmp_path / "disk.img")


@pytest.mark.parametrize(
    "name",
    [
        "disk.raw",
        "disk.qcow2-zlib",
        "disk.qcow2-zstd",
        "disk.raw.gz",
        "disk.vmdk",
        "disk.vmdk-stream",
    ],
)
def test_the_sha256_of_the_source_is_reported(
    name: str, images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    seen = check(ranged.url(name), images, tmp_path / "disk.img", "--sha256")
    want = hashlib.sha256((images / name).read_bytes()).hexdigest()
    assert seen.last["digest"] == f"sha256:{want}"
    assert seen.last["bytesFetched"] <= (images / name).stat().st_size + 4096


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_right_checksum_is_accepted(
    algorithm: str, images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    digest = hashlib.new(algorithm, (images / "disk.qcow2").read_bytes()).hexdigest().upper()
    url = ranged.url("disk.qcow2")
    check(url, images, tmp_path / "disk.img", "--checksum", f"{algorithm}:{digest}")


def test_the_disk_gets_the_size_that_was_asked_for(
    images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    check(ranged.url("disk.qcow2"), images, tmp_path / "disk.img", "--size", "64Mi")
    assert (tmp_path / "disk.img").stat().st_size == 64 << 20


def test_preallocation_allocates_every_block(
    images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    output = tmp_path / "disk.img"
    check(ranged.url("disk.qcow2"), images, output, "--preallocate", "--size", "32Mi")
    assert output.stat().st_blocks * 512 >= 32 << 20


def test_an_existing_disk_is_replaced_as_a_whole(
    images: Path, ranged: nginx.Nginx, tmp_path: Path
) -> None:
    output = tmp_path / "disk.img"
    output.write_bytes(os.urandom(2 * SIZE))
    check(ranged.url("disk.qcow2-zlib"), images, output)
    assert output.stat().st_size == SIZE


def test_a_fixed_vhd_is_told_by_its_last_sector_even_in_a_stream(
    images: Path, tmp_path: Path
) -> None:
    vhd = tmp_path / "disk.vhd"
    options = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size=on"]
    subprocess.run(["qemu-img", "convert", *options, images / "disk.raw", vhd], check=True)
    disks.compress(vhd, "gz")
    for name in ("disk.vhd", "disk.vhd.gz"):
        seen = importing.run(str(tmp_path / name), tmp_path / "disk.img")
        assert (seen.status, seen.last["format"]) == (0, "vpc"), seen.output + seen.errors
        assert (tmp_path / "disk.img").stat().st_size == (images / "disk.raw").stat().st_size
        assert disks.differs(images / "disk.raw", tmp_path / "disk.img") == ""


def test_unreferenced_parts_are_not_fetched_unless_hashed(tmp_path: Path) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw")
    image = disks.convert(disk, "qcow2")
    with image.open("ab") as file:
        file.write(os.urandom(16 << 20))
    with nginx.Nginx(tmp_path) as server:
        plain = importing.run(server.url(image.name), tmp_path / "a.img")
        hashed = importing.run(server.url(image.name), tmp_path / "b.img", "--sha256")
    assert plain.last["bytesFetched"] < image.stat().st_size - (15 << 20)
    assert hashed.last["bytesFetched"] >= image.stat().st_size
    assert disks.differs(disk, tmp_path / "a.img") == ""
    assert disks.differs(disk, tmp_path / "b.img") == ""
