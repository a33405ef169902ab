"""How large a disk is that has no place yet: a few pieces say so, or nothing does, at once."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import appliances, authority, compressed, disks, httpd, ovirt, registry, worker

MIB = 1 << 20
SIZE = 24 * MIB
QCOW2_SIZE = 5 << 30


def disk() -> bytes:
    return b"\xeb\x63\x90" + random.Random(3).randbytes(SIZE - 5) + b"\x55\xaa"


RAW = disk()


def empty(folder: Path, layout: str, size: int) -> bytes:
    path = folder / f"disk.{layout}"
    command = ["qemu-img", "create", "-q", "-f", layout, str(path), str(size)]
    subprocess.run(command, check=True)
    return path.read_bytes()


def qcow2(folder: Path) -> bytes:
    return empty(folder, "qcow2", QCOW2_SIZE)


def vhdx(folder: Path) -> bytes:
    return empty(folder, "vhdx", 64 * MIB)


# Bytes as a server has them, and the size of the disk in them; None where nobody can know it.
OBJECTS: dict[str, tuple[Callable[[Path], bytes], int | None]] = {
    "raw": (lambda _: RAW, SIZE),
    "raw-with-half-a-sector": (lambda _: RAW + b"x", SIZE + 512),
    "qcow2": (qcow2, QCOW2_SIZE),
    "vhdx": (vhdx, 64 * MIB),
    "qcow2.gz": (lambda folder: compressed.run("gzip -c", qcow2(folder)), QCOW2_SIZE),
    "raw.xz": (lambda _: compressed.run("xz -0 -c", RAW), SIZE),
    "raw.blocks.xz": (lambda _: compressed.xz_in_blocks(RAW), SIZE),
    "raw.seekable.zst": (lambda _: compressed.seekable_zst(RAW, SIZE // 4), SIZE),
    "ova": (lambda _: appliances.appliance({"disk.img": RAW}), SIZE),
    "raw.gz": (lambda _: compressed.run("gzip -1 -c", RAW), None),
    "raw.bz2": (lambda _: compressed.run("bzip2 -1 -c", RAW), None),
    "raw.frames.zst": (
        lambda _: struct.pack("<II", 0x184D2A53, 0) + compressed.run("zstd -q -c -1", RAW),
        None,
    ),
}


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as running:
        yield running


@pytest.mark.parametrize("name", OBJECTS)
def test_a_few_pieces_say_how_large_a_disk_is(
    name: str, server: httpd.Server, mounts: worker.Mounts, tmp_path: Path
) -> None:
    make, size = OBJECTS[name]
    data = make(tmp_path)
    ended = worker.measure(worker.order(server.put(f"/{name}", httpd.Blob(data))), mounts)

    said = ended.termination
    assert said.virtual_size == size
    assert (ended.status, said.permanent) == (0, size is None)
    if size is None:
        assert said.reason == "SizeUnknown"
        assert "resources.requests.storage" in said.message
    assert server.served < 4 * MIB  # whatever the size of the disk
    assert not mounts.disk.exists()


@pytest.mark.parametrize(("name", "size"), [("raw", SIZE), ("qcow2", QCOW2_SIZE)])
def test_a_server_without_ranges_is_asked_for_the_beginning_only(
    name: str, size: int, server: httpd.Server, mounts: worker.Mounts, tmp_path: Path
) -> None:
    data = OBJECTS[name][0](tmp_path)
    plain = httpd.Blob(data, ranges=False)
    ended = worker.measure(worker.order(server.put(f"/{name}", plain)), mounts)

    assert (ended.status, ended.termination.virtual_size) == (0, size)


def test_an_archive_does_not_say_what_it_unpacks_to(
    server: httpd.Server, mounts: worker.Mounts
) -> None:
    url = server.put("/files.tar", httpd.Blob(b"x" * 1024))
    ended = worker.measure(worker.order(url, content_type="archive"), mounts)

    assert (ended.status, ended.termination.reason) == (0, "SizeUnknown")


def test_what_somebody_may_mend_is_tried_again(server: httpd.Server, mounts: worker.Mounts) -> None:
    ended = worker.measure(worker.order(f"{server.origin}/nothing"), mounts)

    said = ended.termination
    assert (ended.status, said.reason, said.mendable) == (1, "SourceNotFound", True)
    assert said.virtual_size is None


@pytest.mark.parametrize("compression", ["gzip", ""])
def test_a_layer_is_read_up_to_its_disk(
    compression: str, mounts: worker.Mounts, tmp_path: Path
) -> None:
    layer = registry.layer(registry.file("disk/disk.img", RAW), compression=compression)
    image = registry.Image([layer])
    with registry.Registry(tmp_path / "registry") as running:
        running.push("test/disk", "latest", image)
        order = worker.order(running.url("test/disk"), source="registry", insecure_tls=True)
        ended = worker.measure(order, mounts)

    assert (ended.status, ended.termination.virtual_size) == (0, SIZE)


def test_an_engine_knows_its_disks(mounts: worker.Mounts, tmp_path: Path) -> None:
    made = authority.Authority(tmp_path / "authority")
    raw = disks.text_disk(tmp_path / "disk.raw", 64 * MIB, MIB)
    (mounts.certs / "ca.pem").write_bytes(made.ca.read_bytes())
    with (
        ovirt.Host(tmp_path / "host", made.issue("127.0.0.1")) as host,
        ovirt.Engine(host, made.server_context("127.0.0.1")) as engine,
    ):
        engine.disks["disk-1"] = ovirt.Disk(raw)
        order = worker.order(
            engine.url,
            source="imageio",
            disk_id="disk-1",
            access_key_id=ovirt.USER,
            secret_key=ovirt.PASSWORD,
            cert_dir="/certs",
        )
        ended = worker.measure(order, mounts)

    assert (ended.status, ended.termination.virtual_size) == (0, 64 * MIB)
    assert ovirt.PASSWORD not in ended.log
