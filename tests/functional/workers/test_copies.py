"""Volumes copied by workers: beside each other on one node, and over the network to a server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.api.workorder import CloneOrder, CopyOrder
from support import disks, uploading, worker

SIZE = 24 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file system with a disk, and with files beside it."""
    place = tmp_path / "source"
    (place / "etc" / "deep").mkdir(parents=True)
    (place / "lost+found").mkdir()
    disks.raw_disk(place / "disk.img")
    (place / "disk.img").chmod(0o660)
    (place / "etc" / "deep" / "note").write_text("hello")
    (place / "etc" / "link").symlink_to("deep/note")
    return place


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


def run(module: str, order: CopyOrder | CloneOrder, env: dict[str, str]) -> worker.Ended:
    inherited = {name: value for name, value in os.environ.items() if "proxy" not in name}
    log = Path(env["CDI_TERMINATION_LOG"])
    process = subprocess.run(
        [sys.executable, "-m", module],
        env=inherited | order.to_env() | env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = worker.Termination.from_message(log.read_text(), process.returncode)
    return worker.Ended(process.returncode, said, process.stderr)


def copied(source: Path, mounts: worker.Mounts, **env: str) -> worker.Ended:
    places = {
        "CDI_CLONE_SOURCE_DIR": str(source),
        "CDI_CLONE_SOURCE_DEVICE": str(source.with_name("no-device")),
    }
    order = CopyOrder(owner_uid="uid-1")
    return run("cdi.workers.copier", order, mounts.env | places | env)


def test_a_file_system_is_copied_with_all_that_is_in_it(
    source: Path, mounts: worker.Mounts
) -> None:
    ended = copied(source, mounts)
    assert (ended.status, ended.termination.message) == (0, "Clone Complete"), ended.log
    assert disks.differs(mounts.disk, source / "disk.img") == ""
    assert mounts.disk.stat().st_blocks <= (source / "disk.img").stat().st_blocks + 64
    assert (mounts.data / "etc" / "deep" / "note").read_text() == "hello"
    assert (mounts.data / "etc" / "link").readlink() == Path("deep/note")
    assert sorted(each.name for each in mounts.data.iterdir()) == ["disk.img", "etc"]


def test_a_copy_may_be_made_again(source: Path, mounts: worker.Mounts) -> None:
    copied(source, mounts)
    (mounts.data / "left").mkdir()
    (mounts.data / "etc" / "deep" / "note").write_text("changed")
    assert copied(source, mounts).status == 0
    assert (mounts.data / "etc" / "deep" / "note").read_text() == "hello"
    assert not (mounts.data / "left").exists()


def test_what_a_guest_wrote_is_not_looked_at(source: Path, mounts: worker.Mounts) -> None:
    with (source / "disk.img").open("r+b") as disk:
        disk.write(b"QFI\xfb\0\0\0\3" + b"\xff" * 504)  # as if it were a qcow2
    assert copied(source, mounts).status == 0
    assert mounts.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_a_disk_is_copied_to_a_device_and_back(source: Path, tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"\xaa" * (SIZE + (8 << 20)))  # somebody else's data
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    to_device = worker.Mounts(tmp_path / "a", block=device)
    assert copied(source, to_device).status == 0
    wanted = (source / "disk.img").read_bytes()
    assert device.read_bytes()[: len(wanted)] == wanted
    assert not device.read_bytes()[len(wanted) :].strip(b"\0")
    back = worker.Mounts(tmp_path / "b")
    ended = copied(tmp_path / "nothing", back, CDI_CLONE_SOURCE_DEVICE=str(device))
    assert ended.status == 0, ended.log
    assert back.disk.read_bytes()[: len(wanted)] == wanted


def test_a_block_volume_wants_a_disk(tmp_path: Path) -> None:
    device, empty = tmp_path / "device", tmp_path / "empty"
    device.write_bytes(bytes(1 << 20))
    empty.mkdir()
    (tmp_path / "a").mkdir()
    ended = copied(empty, worker.Mounts(tmp_path / "a", block=device))
    assert (ended.status, ended.termination.permanent) == (1, True)


# Over the network.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> uploading.Certificates:
    made = uploading.Certificates(tmp_path_factory.mktemp("certificates"))
    made.server = made.servers.issue("localhost")
    return made


@pytest.fixture
def server(
    certificates: uploading.Certificates, tmp_path: Path
) -> Iterator[tuple[uploading.Server, worker.Mounts]]:
    (tmp_path / "target").mkdir()
    mounts = worker.Mounts(tmp_path / "target")
    with uploading.Server(certificates, mounts) as found:
        yield found, mounts


def sent(
    place: Path, mode: str, server: uploading.Server, mounts: worker.Mounts, **more: str
) -> worker.Ended:
    certificates = server.certificates
    certificate, key = certificates.client
    order = CloneOrder(
        upload_url=f"https://localhost:{server.port}/v1beta1/upload",
        client_key=key.read_text(),
        client_cert=certificate.read_text(),
        server_ca=certificates.servers.ca.read_text(),
        owner_uid="uid-1",
        volume_mode=mode,
        mount_point=str(place),
    )
    return run("cdi.workers.clonesource", order, mounts.env | more)


def test_a_file_system_is_sent(
    source: Path, mounts: worker.Mounts, server: tuple[uploading.Server, worker.Mounts]
) -> None:
    serving, target = server
    ended = sent(source, "filesystem", serving, mounts)
    assert (ended.status, ended.termination.message) == (0, "Clone Complete"), ended.log
    assert serving.ended().status == 0
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()
    assert (target.data / "etc" / "deep" / "note").read_text() == "hello"
    assert not (target.data / "lost+found").exists()


def test_a_device_is_sent(
    source: Path, mounts: worker.Mounts, server: tuple[uploading.Server, worker.Mounts]
) -> None:
    serving, target = server
    ended = sent(source / "disk.img", "block", serving, mounts)
    assert ended.status == 0, ended.log
    assert serving.ended().status == 0
    wanted = (source / "disk.img").read_bytes()
    assert target.disk.read_bytes()[: len(wanted)] == wanted


def test_a_server_that_believes_somebody_else_ends_it(
    source: Path, mounts: worker.Mounts, certificates: uploading.Certificates, tmp_path: Path
) -> None:
    (tmp_path / "target").mkdir()
    target = worker.Mounts(tmp_path / "target")
    with uploading.Server(certificates, target, client_name="ns/a-ns/b") as serving:
        ended = sent(source / "disk.img", "block", serving, mounts)
    assert (ended.status, ended.termination.done) == (1, False)
    assert "401" in ended.termination.message
