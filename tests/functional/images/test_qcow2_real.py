"""Images that qemu-img and qemu-io make, read both ways and compared to `qemu-img convert`."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from support import qcow2_images

pytestmark = pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-utils")

MIB = 1 << 20


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def live(image: Path, commands: list[str]) -> None:
    """Let qemu-io change an image. It refuses some commands, which is all right."""
    subprocess.run(["qemu-io", "-f", "qcow2", "-d", "unmap", *commands, image], capture_output=True)


def disk_bytes(size: int, seed: int, stripes: int = 30) -> bytes:
    """Return a disk with stripes of random and of compressible bytes."""
    chance = random.Random(seed)
    disk = bytearray(size)
    for _ in range(stripes):
        length = chance.randrange(1, 60000)
        at = chance.randrange(size - length)
        word = chance.randbytes(chance.choice([length, 40]))
        disk[at : at + length] = (word * (length // len(word) + 1))[:length]
    return bytes(disk)


def as_qemu_reads(image: Path) -> bytes:
    raw = image.with_suffix(".out")
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    return raw.read_bytes()


def assert_both_ways_give(image: Path, disk: bytes, seed: int = 0) -> None:
    file = image.read_bytes()
    assert qcow2_images.read_at_random(file, seed, table_readers=1 + seed % 3) == disk
    assert qcow2_images.read_forward(file, seed, resume=bool(seed % 2)) == disk


def layouts(cluster_bits: int) -> list[tuple[str, bool]]:
    """Return (options, whether compressed) of every kind of image with this cluster size."""
    size = f"cluster_size={1 << cluster_bits}"
    kinds = [
        (f"compat=0.10,{size}", False),
        (f"compat=0.10,{size}", True),
        (f"compat=1.1,{size}", False),
        (f"compat=1.1,{size}", True),
        (f"compat=1.1,{size},compression_type=zstd", True),
    ]
    if cluster_bits >= 14:
        kinds += [(f"{options},extended_l2=on", packed) for options, packed in kinds[2:]]
    return kinds


@pytest.mark.parametrize("cluster_bits", range(9, 22))
def test_every_cluster_size_version_and_compression_is_read(
    tmp_path: Path, cluster_bits: int
) -> None:
    disk = disk_bytes(2 * MIB + 1536, cluster_bits)
    (tmp_path / "disk.raw").write_bytes(disk)
    for seed, (options, packed) in enumerate(layouts(cluster_bits)):
        image = tmp_path / "disk.qcow2"
        flags = ["-c"] if packed else []
        run("qemu-img", "convert", *flags, "-f", "raw", "-O", "qcow2", "-o", options,
            tmp_path / "disk.raw", image)  # fmt: skip
        assert_both_ways_give(image, disk, seed)


def commands(seed: int, size: int, cluster: int, count: int = 40) -> list[str]:
    """Return qemu-io commands that write, zero and discard at random."""
    chance = random.Random(seed)
    result = []
    for _ in range(count):
        length = chance.randrange(1, 150) * 512
        at = chance.randrange((size - length) // 512) * 512
        whole = at // cluster * cluster
        result.append(
            chance.choice(
                [
                    f"write -P {chance.randrange(1, 256)} {at} {length}",
                    f"write -P {chance.randrange(1, 256)} {at} {length}",
                    f"write -c -P {chance.randrange(1, 256)} {whole} {cluster}",
                    f"write -z {at} {length}",
                    f"write -z -u {whole} {4 * cluster}",
                    f"discard {whole} {2 * cluster}",
                ]
            )
        )
    return [option for command in result for option in ("-c", command)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("options", "cluster"),
    [
        pytest.param("compat=0.10,cluster_size=4096", 4096, id="v2"),
        pytest.param("cluster_size=512", 512, id="tiny-clusters"),
        pytest.param("cluster_size=65536,compression_type=zstd", 65536, id="zstd"),
        pytest.param("cluster_size=16384,extended_l2=on", 16384, id="subclusters-of-512"),
        pytest.param("extended_l2=on,lazy_refcounts=on", 65536, id="subclusters"),
        pytest.param("cluster_size=65536,preallocation=metadata", 65536, id="preallocated"),
    ],
)  # fmt: skip
def test_images_that_lived_are_read(tmp_path: Path, options: str, cluster: int, seed: int) -> None:
    image = tmp_path / "disk.qcow2"
    size = 4 * MIB
    run("qemu-img", "create", "-f", "qcow2", "-o", options, image, str(size))
    live(image, commands(seed, size, cluster))
    if "metadata" not in options and seed == 1:
        run("qemu-img", "snapshot", "-c", "then", image)
    if seed > 1:
        run("qemu-img", "resize", "-f", "qcow2", image, str(size + 70 * 512))
        size += 70 * 512
    live(image, commands(seed + 9, size, cluster))
    assert_both_ways_give(image, as_qemu_reads(image), seed)


@pytest.mark.parametrize(
    "options",
    [
        "preallocation=metadata",
        "preallocation=falloc",
        "preallocation=full",
        "preallocation=metadata,extended_l2=on",
        "preallocation=metadata,cluster_size=512",
        "preallocation=full,compat=0.10",
        "lazy_refcounts=on",
        "refcount_bits=1",
        "refcount_bits=64,cluster_size=4096",
    ],
)
@pytest.mark.parametrize("fill", [False, True], ids=["empty", "filled"])
def test_every_way_to_create_an_image_is_read(tmp_path: Path, options: str, fill: bool) -> None:
    image, raw = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    disk = disk_bytes(3 * MIB + 512, 1) if fill else bytes(3 * MIB + 512)
    raw.write_bytes(disk)
    if fill:
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, image)
    else:
        run("qemu-img", "create", "-f", "qcow2", "-o", options, image, str(len(disk)))
    assert_both_ways_give(image, disk, len(options))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(["resize --shrink {} 1M"], id="shrunk"),
        pytest.param(["resize {} 40M"], id="grown-far"),
        pytest.param(["snapshot -c a {}", "snapshot -c b {}", "snapshot -d a {}"], id="snapshots"),
        pytest.param(["amend -f qcow2 -o compat=0.10 {}"], id="down-to-version-2"),
        pytest.param(["amend -f qcow2 -o refcount_bits=64 {}"], id="wider-refcounts"),
        pytest.param(["amend -f qcow2 -o lazy_refcounts=on {}"], id="lazy-refcounts"),
        pytest.param(["bitmap --add {} b0", "bitmap --add --disable {} b1"], id="bitmaps"),
        pytest.param(["rebase -u -f qcow2 -b  {}"], id="without-backing"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["-c"]], ids=["plain", "compressed"])
def test_images_that_were_changed_are_read(
    tmp_path: Path, steps: list[str], flags: list[str]
) -> None:
    image, raw = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    raw.write_bytes(disk_bytes(2 * MIB, 7))
    run("qemu-img", "convert", *flags, "-f", "raw", "-O", "qcow2",
        "-o", "cluster_size=4096", raw, image)  # fmt: skip
    for step in steps:
        run("qemu-img", *(str(image) if word == "{}" else word for word in step.split(" ")))
    assert_both_ways_give(image, as_qemu_reads(image), 1)


def test_clusters_written_out_of_order_are_read(tmp_path: Path) -> None:
    image, raw = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    disk = disk_bytes(8 * MIB, 3, stripes=300)
    raw.write_bytes(disk)
    run("qemu-img", "convert", "-c", "-W", "-m", "16", "-f", "raw", "-O", "qcow2",
        "-o", "cluster_size=4096", raw, image)  # fmt: skip
    assert_both_ways_give(image, disk, 2)
