"""The upload server as proxies and nodes meet it: answers, the disk, and how the process ends."""

from __future__ import annotations

import http.client
import json
import random
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cramjam
import pytest

from support import compressed, disks, tars, uploading, worker
from support.qcow2_images import Image, Plain
from support.waiting import wait_until

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
        "vdi": disks.convert(disk, "vdi"),
        "vhdx": disks.convert(disk, "vhdx"),
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


@pytest.mark.parametrize("path", ["upload-async", "upload-form-async"])
def test_whoever_asks_first_is_told_that_async_uploads_are_taken(serve: Starter, path: str) -> None:
    assert serve().request("HEAD", f"/v1beta1/{path}", shown=None).status == 200


def form(data: bytes, name: str = "file") -> tuple[bytes, dict[str, str]]:
    """A form as a browser sends it, with other parts before and after the file."""
    parts = [("before", b"1"), (name, data), ("after", b"2" * MIB)]
    body = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%s\r\n" % (name.encode(), content)
        for name, content in parts
    )
    return body + b"--XX--\r\n", {"Content-Type": "multipart/form-data; boundary=XX"}


@pytest.mark.parametrize(
    ("path", "as_form"),
    [
        ("upload-async", False),
        ("upload-form", True),
        ("upload-form-async", True),
        # Somebody has mistaken the path; a form would be taken for a raw disk.
        ("upload", True),
        ("upload-async", True),
    ],
)
def test_other_paths_end_with_the_same_disk(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], path: str, as_form: bool
) -> None:
    server = serve()
    data, headers = images["qcow2"].read_bytes(), {}
    if as_form:
        data, headers = form(data)
    answer = server.request("POST", f"/v1beta1/{path}", data, headers)
    assert (answer.status, answer.body) == (200, b"")
    assert server.ended().termination.message == "Upload Complete"
    assert disks.differs(images["raw"], mounts.disk) == ""


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"x" * MIB, {}, id="no-form"),
        pytest.param(*form(b"x" * MIB, "image"), id="no-file"),
        pytest.param(form(b"x")[0], {"Content-Type": "multipart/form-data"}, id="no-boundary"),
    ],
)
def test_what_is_no_form_is_refused_at_once(
    serve: Starter, images: dict[str, Path], body: bytes, headers: dict[str, str]
) -> None:
    server = serve()
    answer = server.request("POST", "/v1beta1/upload-form", body, headers)
    assert (answer.status, answer.told["reason"]) == (400, "NotAForm")
    assert server.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200


@pytest.mark.parametrize("packed", ["", "gzip -1", "xz -0", "zstd -q"])
@pytest.mark.parametrize("as_form", [True, False], ids=["form", "plain"])
def test_an_archive_becomes_files(
    serve: Starter, mounts: worker.Mounts, packed: str, as_form: bool
) -> None:
    data = tars.archive(tars.folder("d"), tars.member("d/one", b"1" * 1000), tars.member("two"))
    data = compressed.run(packed, data) if packed else data
    body, headers = form(data) if as_form else (data, {})
    server = serve()
    assert server.request("POST", "/v1beta1/upload-archive", body, headers).status == 200
    assert server.ended().termination.message == "Upload Complete"
    assert (mounts.data / "d" / "one").read_bytes() == b"1" * 1000
    assert sorted(path.name for path in mounts.data.iterdir()) == ["d", "two"]


def test_a_disk_is_no_archive(serve: Starter, mounts: worker.Mounts) -> None:
    answer = serve().post("/v1beta1/upload-archive", b"\x01" * MIB)
    assert (answer.status, answer.told["reason"]) == (400, "NotAnArchive")
    assert list(mounts.data.iterdir()) == []


CLONE = "x-cdi-content-type"


def snapped(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(data))


# A volume that happens to begin like a compressed file, or like an image, stays as it is.
@pytest.mark.parametrize("head", [b"\x1f\x8b\x08\x00", b"QFI\xfb\x00\x00\x00\x03", b"\xfd7zXZ\x00"])
def test_a_device_is_copied_byte_for_byte(
    serve: Starter, mounts: worker.Mounts, head: bytes
) -> None:
    content = head + compressed.plain(3 * MIB) + bytes(5 * MIB)
    server = serve()
    body = uploading.in_pieces(snapped(content))
    headers = {CLONE: "blockdevice-clone"}
    assert server.request("POST", "/v1beta1/upload", body, headers).status == 200
    ended = server.ended()
    assert ended.termination.message == "Clone Complete"
    assert ended.termination.preallocation_applied is False
    whole_sectors = -(-len(content) // 512) * 512
    assert mounts.disk.read_bytes() == content.ljust(whole_sectors, b"\0")


def test_files_are_copied_with_their_modes(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run(["cp", "--sparse=always", images["raw"], source / "disk.img"], check=True)
    (source / "disk.img").chmod(0o660)
    (source / "other").write_text("text")
    packed = subprocess.check_output(["tar", "-C", source, "-c", "-S", "disk.img", "other"])
    server = serve()
    answer = server.request("POST", "/v1beta1/upload", snapped(packed), {CLONE: "filesystem-clone"})
    assert answer.status == 200
    ended = server.ended()
    assert ended.termination.message == "Clone Complete"
    assert ended.termination.preallocation_applied is True
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert mounts.disk.stat().st_mode & 0o777 == 0o660
    assert (mounts.data / "other").read_text() == "text"


@pytest.mark.parametrize("sparse", ["-S", "--format=pax"])
def test_the_disk_among_files_is_copied_to_a_device(
    certificates: uploading.Certificates, images: dict[str, Path], tmp_path: Path, sparse: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("before")
    subprocess.run(["cp", "--sparse=always", images["raw"], source / "disk.img"], check=True)
    (source / "z").write_text("after")
    packed = subprocess.check_output(["tar", "-C", source, "-c", sparse, "."])
    device = tmp_path / "device"
    device.write_bytes(b"\xff" * 32 * MIB)
    mounts = worker.Mounts(tmp_path, block=device)
    with uploading.Server(certificates, mounts) as server:
        headers = {CLONE: "filesystem-clone"}
        assert server.request("POST", "/v1beta1/upload", snapped(packed), headers).status == 200
        assert server.ended().termination.preallocation_applied is False
    assert disks.differs(images["raw"], device) == ""
    assert device.stat().st_size == 32 * MIB


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"no snappy at all", "CorruptImage", id="not-framed"),
        pytest.param(snapped(tars.archive(tars.member("x"))), "NotADisk", id="no-disk"),
    ],
)
def test_a_copy_that_holds_no_disk_is_refused(
    certificates: uploading.Certificates, tmp_path: Path, body: bytes, reason: str
) -> None:
    device = tmp_path / "device"
    device.write_bytes(bytes(MIB))
    mounts = worker.Mounts(tmp_path, block=device)
    with uploading.Server(certificates, mounts) as server:
        answer = server.request("POST", "/v1beta1/upload", body, {CLONE: "filesystem-clone"})
        assert (answer.status, answer.told["reason"]) == (400, reason)


@pytest.mark.parametrize("kind", ["vdi", "vhdx"])
def test_formats_that_one_pass_cannot_read_go_through_scratch_space(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], kind: str
) -> None:
    mounts.scratch.mkdir()
    server = serve()
    assert server.post("/v1beta1/upload", images[kind].read_bytes()).status == 200
    assert server.ended().status == 0
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert list(mounts.scratch.iterdir()) == []


def test_scratch_space_is_asked_for_where_there_is_none(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    server = serve()
    answer = server.post("/v1beta1/upload", images["vdi"].read_bytes())
    assert (answer.status, answer.told["reason"]) == (409, "ScratchSpaceRequired")
    ended = server.ended()
    assert ended.status == 1  # a controller that does not know the word takes 0 for success
    assert ended.termination.scratch_space_required
    assert not ended.termination.says_complete


def test_an_iso_is_a_disk(serve: Starter, mounts: worker.Mounts) -> None:
    content = bytes(32768) + b"\x01CD001\x01\0" + compressed.plain(2 * MIB)
    server = serve()
    assert server.post("/v1beta1/upload", content).status == 200
    server.ended()
    assert mounts.disk.read_bytes() == content.ljust(32 * MIB, b"\0")


def test_preallocation_is_told(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    server = serve(preallocation=True)
    assert server.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200
    assert server.ended().termination.preallocation_applied
    assert mounts.disk.stat().st_blocks * 512 >= 32 * MIB
    assert disks.differs(images["raw"], mounts.disk) == ""


def curl(server: uploading.Server, *options: object) -> str:
    """Send by curl; return the status, and the version of HTTP that was spoken."""
    certificate, key = server.certificates.client
    ways: list[object] = [
        "--cacert", server.certificates.servers.ca, "--cert", certificate, "--key", key,
        "--resolve", f"{uploading.SERVER}:{server.port}:127.0.0.1", "-s", "-o", "/dev/null",
        "-w", "%{http_code} %{http_version}", "--max-time", "60",
    ]  # fmt: skip
    address = f"https://{uploading.SERVER}:{server.port}/v1beta1/upload"
    return subprocess.check_output(["curl", *ways, *options, address], text=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--data-binary"], "200 1.1", id="with-length"),
        pytest.param(
            ["-H", "Transfer-Encoding: chunked", "--data-binary"], "200 1.1", id="chunked"
        ),
        pytest.param(["-H", "Expect: 100-continue", "--data-binary"], "200 1.1", id="expect"),
        pytest.param(["-0", "--data-binary"], "200 1", id="http-1.0"),
    ],
)
def test_curl_uploads_in_every_way(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], options: list[str], said: str
) -> None:
    server = serve()
    assert curl(server, *options, f"@{images['qcow2']}") == said
    assert server.ended().status == 0
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_nobody_is_asked_for_a_body_that_is_not_wanted(
    serve: Starter, certificates: uploading.Certificates
) -> None:
    head = b"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    connection = serve().connect(certificates.other_client)
    connection.sendall(head + b"Content-Length: 1000000000000\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_an_upload_that_is_alive_keeps_the_volume(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["raw"].read_bytes()
    server = serve()
    begun = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield data[:MIB]
        begun.set()
        for piece in uploading.in_pieces(data[MIB:]):
            answered.wait(0.1)
            yield piece

    answered = threading.Event()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(server.post, "/v1beta1/upload", slowly())
        assert begun.wait(30)
        second = server.post("/v1beta1/upload", data)
        assert (second.status, second.told["reason"]) == (409, "UploadInProgress")
        assert server.request("GET", "/healthz").body == b"OK"
        answered.set()
        assert first.result().status == 200
    server.ended()
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_the_deadline_ends_a_server_that_is_idle(serve: Starter) -> None:
    server = serve(listens=False, deadline=datetime.now(UTC))
    ended = server.ended()
    assert ended.status == 0
    assert ended.termination.deadline_passed
    assert ended.termination.message == "Deadline Passed"
    assert not ended.termination.says_complete


def test_sigterm_ends_an_upload_that_waits(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    server = serve()
    connection = server.connect()
    head = b"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 25165824\r\n\r\n"
    connection.sendall(head + images["raw"].read_bytes()[: 4 * MIB])
    server.process.send_signal(signal.SIGTERM)
    ended = server.ended()
    assert (ended.status, ended.termination.reason) == (143, "Cancelled")
    assert not mounts.disk.exists()


def test_wrong_files_end_the_process_with_the_reason(serve: Starter) -> None:
    ended = serve(listens=False, tls_key_file="/nowhere/tls.key").ended()
    assert (ended.status, ended.termination.reason) == (1, "InvalidRequest")


def test_the_next_start_says_what_the_first_one_could_not(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    first = serve()
    mounts.termination.mkdir()  # nothing can be written there
    assert first.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200
    assert first.process.wait(60) == 1
    made = mounts.disk.stat().st_ino

    mounts.termination.rmdir()
    ended = serve(listens=False).ended()
    assert (ended.status, ended.termination.message) == (0, "Upload Complete")
    assert mounts.disk.stat().st_ino == made
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def long_image() -> Image:
    """More than is parked while it is not known where it belongs."""
    cluster = random.Random(3).randbytes(1 << 16)
    return Image({at: Plain(cluster) for at in range(34 * MIB >> 16)}, 36 * MIB, cluster_bits=16)


def test_an_image_with_its_tables_behind_its_data_waits_behind_its_own_disk(
    serve: Starter, mounts: worker.Mounts
) -> None:
    image = long_image()
    late = ["l1", *(each for each in image.items()[::-1] if each != "l1")]
    for order in (image.items()[::-1], late):
        server = serve(size="40Mi")
        assert server.post("/v1beta1/upload", image.build(order)).status == 200
        server.ended()
        assert mounts.disk.read_bytes() == image.content().ljust(40 * MIB, b"\0")
        assert mounts.disk.stat().st_blocks * 512 <= 36 * MIB


def test_an_image_with_its_tables_behind_its_data_goes_through_scratch_space_at_once(
    serve: Starter, mounts: worker.Mounts
) -> None:
    mounts.scratch.mkdir()
    image = long_image()
    server = serve(size="40Mi", preallocation=True)  # which leaves no room behind the disk
    assert server.post("/v1beta1/upload", image.build(image.items()[::-1])).status == 200
    server.ended()
    assert mounts.disk.read_bytes() == image.content().ljust(40 * MIB, b"\0")
    assert list(mounts.scratch.iterdir()) == []


def test_an_image_whose_tables_turn_out_to_be_late_is_taken_when_it_comes_again(
    serve: Starter, mounts: worker.Mounts
) -> None:
    mounts.scratch.mkdir()
    image = long_image()
    data = image.build(["l1", *(each for each in image.items()[::-1] if each != "l1")])
    server = serve(size="40Mi", preallocation=True)
    answer = server.post("/v1beta1/upload", data)
    assert (answer.status, answer.told["reason"]) == (503, "SourceUnavailable")
    assert answer.headers["Retry-After"]
    assert server.post("/v1beta1/upload", data).status == 200
    server.ended()
    assert mounts.disk.read_bytes() == image.content().ljust(40 * MIB, b"\0")


def test_numbers_are_there_for_whoever_asks(serve: Starter, images: dict[str, Path]) -> None:
    data = images["raw"].read_bytes()
    server = serve()
    connection = server.connect()
    head = f"POST /v1beta1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data[:MIB])
    wait_until(lambda: b"cdi_upload_received_bytes_total 1048576" in _metrics(server))
    told = _metrics(server)
    assert f"cdi_upload_expected_bytes {len(data)}".encode() in told
    assert b"cdi_upload_in_progress 1" in told
    connection.close()
    wait_until(lambda: b'cdi_upload_failures_total{reason="ConnectionLost"} 1' in _metrics(server))


def _metrics(server: uploading.Server) -> bytes:
    return server.request("GET", "/metrics", shown=None).body
