"""The upload server as proxies and nodes meet it: answers, the disk, and how the process ends."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import compressed, disks, uploading, worker

MIB = 1 << 20

Starter = Callable[..., uploading.Server]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> uploading.Certificates:
    return uploading.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    disk = disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw")
    return {
        "raw": disk,
        "qcow2": disks.convert(disk, "qcow2"),
        "raw.gz": disks.compress(disk, "gz"),
        "raw.xz": disks.compress(disk, "xz"),
    }


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


@pytest.fixture
def serve(certificates: uploading.Certificates, mounts: worker.Mounts) -> Iterator[Starter]:
    started: list[uploading.Server] = []

    def start(**options: Any) -> uploading.Server:
        started.append(uploading.Server(certificates, mounts, **options))
        return started[-1]

    yield start
    for server in started:
        server.__exit__()


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
@pytest.mark.parametrize("kind", ["raw", "qcow2", "raw.gz", "raw.xz"])
def test_an_upload_becomes_the_disk(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], kind: str, version: str
) -> None:
    server = serve()
    answer = server.post(f"/{version}/upload", images[kind].read_bytes())
    ended = server.ended()

    assert (answer.status, answer.body) == (200, b"")
    assert ended.status == 0
    message = json.loads(mounts.termination.read_text())
    assert message["message"] == "Upload Complete"
    assert message["preallocationApplied"] is False
    assert mounts.disk.stat().st_size == 32 * MIB
    assert mounts.disk.stat().st_mode & 0o777 == 0o660
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def shown_by(certificates: uploading.Certificates, who: str) -> tuple[Path, Path] | None:
    return None if who == "nobody" else getattr(certificates, who)


@pytest.mark.parametrize("who", ["nobody", "other_client"])
def test_whoever_is_not_the_client_is_refused(
    serve: Starter, certificates: uploading.Certificates, mounts: worker.Mounts, who: str
) -> None:
    server = serve()
    answer = server.request(
        "POST", "/v1beta1/upload", b"x" * MIB, shown=shown_by(certificates, who)
    )
    assert (answer.status, answer.told["reason"]) == (401, "Unauthorized")
    assert list(mounts.data.iterdir()) == []


def test_a_certificate_of_strangers_fails_the_handshake(
    serve: Starter, certificates: uploading.Certificates
) -> None:
    server = serve()
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        server.request("POST", "/v1beta1/upload", b"x", shown=certificates.stranger)


def test_health_needs_no_certificate(serve: Starter) -> None:
    answer = serve().request("GET", "/healthz", shown=None)
    assert (answer.status, answer.body) == (200, b"OK")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta1/upload"),
        ("PUT", "/v1beta1/upload"),
        ("HEAD", "/v1beta1/upload"),
        ("POST", "/v1beta1/upload/"),
        ("POST", "/v1/upload"),
        ("POST", "/"),
    ],
)
def test_nothing_else_is_found(serve: Starter, method: str, path: str) -> None:
    assert serve().request(method, path).status == 404


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"", 400, "NotADisk", id="empty"),
        pytest.param(b"<!DOCTYPE html>" + b" " * MIB, 400, "NotADisk", id="web-page"),
        pytest.param(compressed.run("gzip -1", bytes(MIB))[:-9], 400, "TruncatedSource", id="cut"),
        pytest.param(b"QFI\xfb" + b"\xff" * MIB, 400, "UnsupportedFormat", id="garbage"),
        pytest.param(b"\x01" * 33 * MIB, 413, "TargetTooSmall", id="too-large"),
    ],
)
def test_what_is_no_disk_is_refused_and_the_next_upload_is_taken(
    serve: Starter,
    mounts: worker.Mounts,
    images: dict[str, Path],
    body: bytes,
    status: int,
    reason: str,
) -> None:
    server = serve()
    answer = server.post("/v1beta1/upload", body)
    assert (answer.status, answer.told["reason"]) == (status, reason)
    assert answer.told["message"].startswith("Saving stream failed: ")
    assert list(mounts.data.iterdir()) == []

    assert server.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200
    assert server.ended().status == 0
    assert disks.differs(images["raw"], mounts.disk) == ""
