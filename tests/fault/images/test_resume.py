"""Cut, killed, stopped: an import goes on where it was, and fetches hardly anything twice."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import disks, httpd, importing, registry

MIB = 1 << 20
ALLOWED = 1.05  # bytes fetched in all, against the size of the file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    disk = disks.raw_disk(folder / "disk.raw", 96 * MIB, 48 * MIB)
    large = disks.text_disk(folder / "large.raw", 320 * MIB, 256 * MIB)
    disks.convert(large, "qcow2")
    disks.convert(large, "qcow2-zlib")
    for layout in ("qcow2", "qcow2-zlib", "qcow2-zstd", "vmdk", "vmdk-stream"):
        disks.convert(disk, layout)
    for kind in ("gz", "xz", "xz-blocks", "zst", "bz2"):
        disks.compress(disk, kind)
    disks.compress(folder / "disk.qcow2", "gz")
    disks.compress(folder / "disk.vmdk-stream", "gz")
    return folder


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


FORMATS = [
    "disk.raw", "disk.qcow2", "disk.qcow2-zlib", "disk.qcow2-zstd", "disk.raw.gz", "disk.raw.xz",
    "disk.raw.xz-blocks", "disk.raw.zst", "disk.raw.bz2", "disk.qcow2.gz", "disk.vmdk",
    "disk.vmdk-stream",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_one_run_survives_a_server_that_cuts_every_connection(
    name: str, folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    rng = random.Random(name)

    def cutting(_: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        return replace(reply, cut_after=rng.randrange(1, 2 * MIB), reset=rng.random() < 0.5)

    body = (folder / name).read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=cutting))
    seen = importing.run(url, tmp_path / "disk.img")
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""
    assert seen.last["bytesFetched"] <= ALLOWED * len(body)


class KillSwitch:
    """Lets `left` bytes of bodies out, then holds every connection and says so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.left = 0
        self.dry = threading.Event()

    def arm(self, count: int) -> None:
        with self._lock:
            self.left = count
            self.dry.clear()

    def __call__(self, _: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        with self._lock:
            if self.left >= len(reply.body):
                self.left -= len(reply.body)
                return reply
            allowed, self.left = self.left, 0
        self.dry.set()
        return replace(reply, stall_after=allowed)


def kill_after(count: int, switch: KillSwitch, url: str, output: Path, *options: str) -> None:
    """Import until `count` bytes have been sent, then kill the process."""
    switch.arm(count)
    process = importing.start(url, output, *options)
    assert switch.dry.wait(60)
    process.kill()
    process.communicate()


KILLED = ["large.raw", "large.qcow2", "large.qcow2-zlib"]


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name in KILLED for options in ((), ("--sha256",))],
)
def test_twenty_kills_at_random_points_cost_little(
    name: str, options: tuple[str, ...], folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    rng = random.Random(name)
    switch = KillSwitch()
    body = (folder / name).read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=switch))
    for _ in range(20):
        kill_after(rng.randrange(len(body) // 14), switch, url, tmp_path / "disk.img", *options)
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img", *options)
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(folder / "large.raw", tmp_path / "disk.img") == ""
    assert importing.leftovers(tmp_path / "disk.img") == []
    assert server.served <= ALLOWED * len(body)


def test_a_killed_import_of_a_container_image_goes_on_in_its_layer(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    rng, switch = random.Random("layer"), KillSwitch()
    disk = registry.file("disk/disk.img", (folder / "large.qcow2").read_bytes())
    image = registry.Image([registry.layer(disk, compression="")])
    url = registry.Fake(server).push("disks/large", "latest", image, twist=switch)
    body = len(image.layers[0].data)
    for _ in range(4):
        kill_after(rng.randrange(body // 5), switch, url, tmp_path / "disk.img", "--insecure")
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img", "--insecure")
    assert (seen.status, seen.last["resumed"]) == (0, True), seen.output + seen.errors
    assert disks.differs(folder / "large.raw", tmp_path / "disk.img") == ""
    assert server.served <= ALLOWED * body


def test_a_killed_import_of_multi_block_xz_begins_at_the_next_block(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    switch = KillSwitch()
    body = (folder / "disk.raw.xz-blocks").read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=switch))
    for _ in range(3):
        kill_after(len(body) // 5, switch, url, tmp_path / "disk.img")
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, True), seen.output + seen.errors
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""
    assert server.served <= 1.6 * len(body)


@pytest.mark.parametrize(
    "name", ["disk.raw.gz", "disk.raw.zst", "disk.raw.bz2", "disk.vmdk", "disk.vmdk-stream.gz"]
)
def test_a_killed_import_of_any_format_ends_well(
    name: str, folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    rng = random.Random(name)
    switch = KillSwitch()
    body = (folder / name).read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=switch))
    for _ in range(3):
        kill_after(rng.randrange(len(body) // 4), switch, url, tmp_path / "disk.img")
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img")
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_an_import_that_waits_and_the_next_run_continues(
    number: signal.Signals, folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    switch = KillSwitch()
    body = (folder / "disk.qcow2").read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=switch))
    switch.arm(len(body) // 2)
    process = importing.start(url, tmp_path / "disk.img")
    assert switch.dry.wait(60)
    process.send_signal(number)
    stopped = importing.outcome(process)
    assert (stopped.status, stopped.last["reason"]) == (128 + number, "Cancelled")
    assert not (tmp_path / "disk.img").exists()
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, True)
    assert server.served <= ALLOWED * len(body)


def test_a_changed_source_is_not_continued(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    switch = KillSwitch()
    old = httpd.Blob(bytes(reversed((folder / "disk.raw").read_bytes())), twist=switch)
    url = server.put("/disk", old)
    kill_after(20 * MIB, switch, url, tmp_path / "disk.img")
    server.put("/disk", httpd.Blob((folder / "disk.raw").read_bytes(), etag='"v2"'))
    seen = importing.run(url, tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, False)
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""


def test_without_a_version_nothing_is_continued(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    switch = KillSwitch()
    body = (folder / "disk.raw").read_bytes()
    url = server.put("/disk", httpd.Blob(body, etag=None, modified=None, twist=switch))
    kill_after(20 * MIB, switch, url, tmp_path / "disk.img")
    switch.arm(1 << 40)
    seen = importing.run(url, tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, False)
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""


def test_what_a_wrong_checksum_fetched_is_not_kept(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    url = server.put("/disk", httpd.Blob((folder / "disk.raw").read_bytes()))
    seen = importing.run(url, tmp_path / "disk.img", "--checksum", "sha1:" + "0" * 40)
    assert (seen.status, seen.last["reason"]) == (3, "ChecksumError")
    assert list(tmp_path.iterdir()) == []
