"""Copies in ranges between a clone source and an upload server of ours, and what others see."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdi.api.workorder import CloneOrder
from support import disks, uploading, worker
from support.waiting import wait_until
from support.wire import Wire

MIB = 1 << 20
DATA = 24 * MIB


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> uploading.Certificates:
    made = uploading.Certificates(tmp_path_factory.mktemp("certificates"))
    made.server = made.servers.issue("localhost")
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file system in which there is nothing but a disk."""
    place = tmp_path / "source"
    (place / "lost+found").mkdir(parents=True)
    disks.raw_disk(place / "disk.img", size=64 * MIB, data=DATA)
    return place


@pytest.fixture
def target(tmp_path: Path) -> worker.Mounts:
    (tmp_path / "target").mkdir()
    return worker.Mounts(tmp_path / "target")


Start = Callable[..., uploading.Server]


@pytest.fixture
def start(certificates: uploading.Certificates, target: worker.Mounts) -> Iterator[Start]:
    """Starts upload servers for the target, one after the other."""
    made: list[uploading.Server] = []

    def serve(mounts: worker.Mounts = target, **order: object) -> uploading.Server:
        made.append(uploading.Server(certificates, mounts, size="256Mi", **order))
        return made[-1]

    yield serve
    for each in made:
        if each.process.returncode is None:
            each.__exit__()


class Sender:
    """A clone source in a process of its own."""

    def __init__(
        self,
        place: Path,
        certificates: uploading.Certificates,
        port: int,
        mode: str = "",
        **env: str,
    ) -> None:
        certificate, key = certificates.client
        order = CloneOrder(
            upload_url=f"https://localhost:{port}/v1beta1/upload",
            client_key=key.read_text(),
            client_cert=certificate.read_text(),
            server_ca=certificates.servers.ca.read_text(),
            owner_uid="uid-1",
            volume_mode=mode or "filesystem",
            mount_point=str(place),
        )
        folder = place.with_name(f"sender-{port}-{os.urandom(4).hex()}")
        folder.mkdir()
        self.mounts = worker.Mounts(folder)
        inherited = {name: value for name, value in os.environ.items() if "proxy" not in name}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cdi.workers.clonesource", "-v=1"],
            env=inherited | order.to_env() | self.mounts.env | env,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self) -> worker.Ended:
        return worker.ended(self.process, self.mounts)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


Send = Callable[..., Sender]


@pytest.fixture
def send(certificates: uploading.Certificates, source: Path) -> Iterator[Send]:
    """Starts clone sources."""
    made: list[Sender] = []

    def sending(port: int, place: Path = source, mode: str = "", **env: str) -> Sender:
        made.append(Sender(place, certificates, port, mode, **env))
        return made[-1]

    yield sending
    for each in made:
        each.kill()


def assert_well(sender: Sender, server: uploading.Server) -> str:
    """Both ends have ended well, in ranges; return the server's log."""
    sent, stored = sender.ended(), server.ended()
    assert (sent.status, sent.termination.message) == (0, "Clone Complete"), sent.log
    assert (stored.status, stored.termination.message) == (0, "Clone Complete"), stored.log
    assert "copy in ranges" in stored.log
    return stored.log


def test_only_what_has_data_is_sent(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    server = start()
    with Wire(server.port) as wire:
        assert_well(send(wire.port), server)
        assert wire.passed < 1.1 * (source / "disk.img").stat().st_blocks * 512 + MIB
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()
    assert target.disk.stat().st_blocks <= (source / "disk.img").stat().st_blocks + 64
    assert [each.name for each in target.data.iterdir()] == ["disk.img"]


def test_a_sender_waits_for_a_server_that_comes_up(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    with Wire(nobody) as wire:
        sender = send(wire.port)
        wait_until(lambda: wire.refused)
        server = start()
        wire.to = server.port
        assert_well(sender, server)
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_a_sender_does_not_wait_for_a_server_that_it_does_not_know(
    source: Path, tmp_path: Path, certificates: uploading.Certificates, send: Send
) -> None:
    (tmp_path / "others").mkdir()
    others = uploading.Certificates(tmp_path / "others")
    others.server = others.servers.issue("localhost")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = context_of_others(others)
        threading.Thread(target=_greet, args=(listener, context), daemon=True).start()
        ended = send(listener.getsockname()[1]).ended()
    assert ended.status == 1, ended.log
    assert "certificate verify failed" in ended.log


NO_GCM = """
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = usual
[usual]
Ciphersuites = TLS_CHACHA20_POLY1305_SHA256
"""


def test_who_has_agreed_on_another_cipher_stays_in_tls(
    source: Path, tmp_path: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    (tmp_path / "openssl.cnf").write_text(NO_GCM)
    server = start()
    assert_well(send(server.port, OPENSSL_CONF=str(tmp_path / "openssl.cnf")), server)
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_a_device_in_a_file_keeps_its_size(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    server = start()
    assert_well(send(server.port, source / "disk.img", "block"), server)
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()
    assert server.told.preallocation_applied is False


def test_a_device_that_was_used_is_overwritten(
    source: Path, tmp_path: Path, start: Start, send: Send
) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"\xaa" * (72 * MIB))
    (tmp_path / "block").mkdir()
    server = start(worker.Mounts(tmp_path / "block", block=device))
    assert_well(send(server.port), server)
    wanted = (source / "disk.img").read_bytes()
    found = device.read_bytes()
    assert found[: len(wanted)] == wanted
    assert not found[len(wanted) :].strip(b"\0")


def put_beside(source: Path) -> None:
    """Whatever there may be beside a disk."""
    folder = source / "folder"
    folder.mkdir()
    (folder / ("long" * 40)).write_bytes(os.urandom(3 * MIB + 1))
    (folder / "program").write_text("run")
    (folder / "program").chmod(0o750)
    (folder / "again").hardlink_to(folder / "program")
    (folder / "link").symlink_to("program")
    (source / "empty").touch()
    (source / ".disk.img.cdi-journal").write_text("of somebody else")
    folder.chmod(0o710)


def assert_came_along(source: Path, found: Path) -> None:
    names = {str(each.relative_to(source)) for each in source.rglob("*")}
    came = {str(each.relative_to(found)) for each in found.rglob("*")}
    assert came == names - {"lost+found", ".disk.img.cdi-journal"}
    for name in sorted(came):
        here, there = source / name, found / name
        if name != "disk.img":
            assert there.lstat().st_mode == here.lstat().st_mode, name
        if here.is_file():
            assert there.read_bytes() == here.read_bytes(), name
    assert (found / "folder/link").readlink() == Path("program")
    assert (found / "folder/again").samefile(found / "folder/program")


@pytest.mark.parametrize("cut_after", [None, DATA // 2], ids=["straight", "cut"])
def test_files_beside_the_disk_come_along(
    source: Path, target: worker.Mounts, start: Start, send: Send, cut_after: int | None
) -> None:
    put_beside(source)
    server = start()
    with Wire(server.port, cut_after=cut_after) as wire:
        assert_well(send(wire.port), server)
        assert wire.passed < 1.5 * DATA + 8 * MIB
    assert_came_along(source, target.data)


def test_a_device_takes_the_disk_and_leaves_the_files(
    source: Path, tmp_path: Path, start: Start, send: Send
) -> None:
    put_beside(source)
    (tmp_path / "block").mkdir()
    device = tmp_path / "device"
    device.write_bytes(b"\xaa" * (72 * MIB))
    server = start(worker.Mounts(tmp_path / "block", block=device))
    assert_well(send(server.port), server)
    wanted = (source / "disk.img").read_bytes()
    assert device.read_bytes()[: len(wanted)] == wanted


def test_a_copy_goes_on_when_all_connections_break(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    server = start()
    with Wire(server.port, cut_after=DATA // 2) as wire:
        assert_well(send(wire.port), server)
        assert wire.cuts == 1
        assert wire.passed < 1.5 * DATA
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def noted(target: worker.Mounts) -> bool:
    """Whether a server has noted some of what it has."""
    journals = list(target.data.glob(".disk.img*journal*")) + list(target.data.glob("*journal*"))
    return any(each.stat().st_size > 1000 for each in journals)


def test_a_copy_goes_on_after_its_sender_was_killed(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    server = start()
    with Wire(server.port, hold_after=DATA // 2) as wire:
        first = send(wire.port)
        assert wire.held.wait(60)
        wait_until(lambda: noted(target))
        first.kill()
    log = assert_well(send(server.port), server)
    assert '"resumed": true' in log
    assert '"bytes_of_before": 0' not in log
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_a_copy_goes_on_after_its_server_was_killed(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    server = start()
    with Wire(server.port, hold_after=DATA // 2) as wire:
        sender = send(wire.port)
        assert wire.held.wait(60)
        wait_until(lambda: noted(target))
        server.process.kill()
        server.process.communicate()
        again = start()
        wire.to = again.port
        wire.let_go()
        assert '"resumed": true' in assert_well(sender, again)
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_what_an_earlier_attempt_has_spoilt_is_fetched_anew(
    source: Path, target: worker.Mounts, start: Start, send: Send
) -> None:
    (source / "disk.img").write_bytes(os.urandom(DATA))
    server = start()
    with Wire(server.port, hold_after=DATA // 2) as wire:
        first = send(wire.port)
        assert wire.held.wait(60)
        wait_until(lambda: noted(target))
        server.process.kill()
        server.process.communicate()
        first.kill()
    with target.disk.with_name("disk.img.cdi-partial").open("r+b") as file:
        file.seek(300_000)
        file.write(b"spoilt")
    again = start()
    log = assert_well(send(again.port), again)
    assert "than its source" in log
    assert target.disk.read_bytes() == (source / "disk.img").read_bytes()


def test_a_server_of_others_sees_one_post(
    source: Path, certificates: uploading.Certificates, send: Send
) -> None:
    context = context_of_others(certificates)
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_take_one, args=(listener, context, heads), daemon=True)
        serving.start()
        ended = send(listener.getsockname()[1]).ended()
        serving.join(60)
        assert (ended.status, ended.termination.message) == (0, "Clone Complete"), ended.log
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert len(heads) == 1
    assert heads[0].startswith(b"POST /v1beta1/upload HTTP/1.1\r\n")
    assert b"x-cdi-content-type: filesystem-clone\r\n" in heads[0]


def context_of_others(certificates: uploading.Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = certificates.server
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as line:
        line.recv(1)


def _take_one(listener: socket.socket, context: ssl.SSLContext, heads: list[bytes]) -> None:
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as line, line.makefile("rb") as said:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += said.readline()
        heads.append(head)
        while size := int(said.readline(), 16):
            said.read(size + 2)
        said.readline()
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
