"""Uploads that break in every way: the next one is always taken, and becomes the whole disk."""

from __future__ import annotations

import signal
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import disks, uploading, worker

MIB = 1 << 20
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> uploading.Certificates:
    return uploading.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw")


class Sender:
    """Breaks off in one way after another, holding on to what is silent."""

    def __init__(
        self, certificates: uploading.Certificates, mounts: worker.Mounts, data: bytes
    ) -> None:
        self._certificates, self._mounts, self._data = certificates, mounts, data
        self._held: list[ssl.SSLSocket] = []
        self.server = self._started()

    def _started(self) -> uploading.Server:
        return uploading.Server(self._certificates, self._mounts)

    def begin(self) -> ssl.SSLSocket:
        """Begin an upload; the server has to want its body."""
        connection = self.server.connect()
        head = f"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(self._data)}\r\n"
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        return connection

    def reset(self, connection: ssl.SSLSocket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()

    def close(self, connection: ssl.SSLSocket) -> None:
        connection.close()

    def fall_silent(self, connection: ssl.SSLSocket) -> None:
        self._held.append(connection)

    def kill(self, connection: ssl.SSLSocket) -> None:
        self.server.__exit__()
        self.server = self._started()
        connection.close()

    def stop(self, connection: ssl.SSLSocket) -> None:
        self.server.process.send_signal(signal.SIGTERM)
        self.kill(connection)

    def end(self) -> None:
        self.server.__exit__()
        for connection in self._held:
            connection.close()


@pytest.fixture
def sender(
    certificates: uploading.Certificates, tmp_path: Path, disk: Path
) -> Iterator[tuple[Sender, worker.Mounts]]:
    mounts = worker.Mounts(tmp_path)
    sender = Sender(certificates, mounts, disk.read_bytes())
    yield sender, mounts
    sender.end()


WAYS: list[Callable[..., None]] = [
    Sender.reset, Sender.fall_silent, Sender.close, Sender.kill, Sender.reset, Sender.stop,
    Sender.fall_silent, Sender.fall_silent, Sender.kill, Sender.close,
]  # fmt: skip


def test_after_every_break_the_next_upload_is_taken(
    sender: tuple[Sender, worker.Mounts], disk: Path
) -> None:
    sending, mounts = sender
    data = disk.read_bytes()
    for number, way in enumerate(WAYS):
        connection = sending.begin()
        connection.sendall(data[: (number + 1) * len(data) // (len(WAYS) + 1)])
        way(sending, connection)
    assert sending.server.post("/v1beta1/upload", data).status == 200
    assert sending.server.ended().termination.message == "Upload Complete"
    assert disks.differs(disk, mounts.disk) == ""
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def test_a_sender_that_sends_nothing_is_given_up(
    certificates: uploading.Certificates, tmp_path: Path, disk: Path
) -> None:
    mounts = worker.Mounts(tmp_path)
    with uploading.Server(certificates, mounts, env={"CDI_IDLE_TIMEOUT": "0.5"}) as server:
        connection = server.connect()
        connection.sendall(b"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert server.post("/v1beta1/upload", disk.read_bytes()).status == 200


def test_bytes_that_never_will_do_end_the_server_if_nothing_better_comes(
    certificates: uploading.Certificates, tmp_path: Path
) -> None:
    mounts = worker.Mounts(tmp_path)
    with uploading.Server(certificates, mounts) as server:
        assert server.post("/v1beta1/upload", b"\x01" * 33 * MIB).status == 413
        ended = server.ended()
    assert (ended.status, ended.termination.reason) == (1, "TargetTooSmall")
    assert ended.termination.permanent
    assert not mounts.disk.exists()
