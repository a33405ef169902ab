"""Resumable uploads at the upload server: the protocol, what survives, and a client of others."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import signal
import socket
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from cdi.api import uploadsession
from support import compressed, disks, loopdev, tars, uploading, worker
from support.waiting import wait_until

MIB = 1 << 20
PATH = "/v1beta1/upload-tus"

Starter = Callable[..., uploading.Server]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> uploading.Certificates:
    return uploading.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    disk = disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw", 96 * MIB, 64 * MIB)
    blocks = disk.with_name("blocks.xz")
    blocks.write_bytes(compressed.run("xz -0 --block-size=4MiB", disk.read_bytes()))
    return {
        "raw": disk,
        "qcow2": disks.convert(disk, "qcow2"),
        "gz": disks.compress(disk, "gz"),
        "xz": blocks,
    }


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


@pytest.fixture
def serve(certificates: uploading.Certificates, mounts: worker.Mounts) -> Iterator[Starter]:
    started: list[uploading.Server] = []

    def start(**options: Any) -> uploading.Server:
        started.append(uploading.Server(certificates, mounts, size="128Mi", **options))
        return started[-1]

    yield start
    for server in started:
        server.__exit__()


def said(**metadata: str) -> dict[str, str]:
    pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in metadata.items())
    return {"Upload-Metadata": ",".join(pairs)}


class Client:
    """A client of the protocol that does one request at a time."""

    def __init__(self, server: uploading.Server, path: str = PATH) -> None:
        self.server, self.path = server, path

    def ask(self, method: str, body: bytes | None = None, **headers: str) -> uploading.Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.request(method, self.path, body, {"Tus-Resumable": "1.0.0", **named})

    def create(self, length: int, **headers: str) -> uploading.Answer:
        answer = self.ask("POST", Upload_Length=str(length), **headers)
        if answer.status == 201:
            self.path = answer.headers["Location"]
        return answer

    @property
    def offset(self) -> int:
        answer = self.ask("HEAD")
        assert answer.status == 200, answer.status
        assert answer.headers["Cache-Control"] == "no-store"
        return int(answer.headers["Upload-Offset"])

    def patch(self, offset: int, data: bytes, **headers: str) -> uploading.Answer:
        kind = "application/offset+octet-stream"
        return self.ask("PATCH", data, Content_Type=kind, Upload_Offset=str(offset), **headers)

    def send(self, data: bytes, size: int, start: int = 0, end: int | None = None) -> int:
        """Send up to `end` in chunks; return where the upload is then."""
        at, end = start, len(data) if end is None else end
        while at < end:
            answer = self.patch(at, data[at : min(at + size, end)])
            assert answer.status == 204, answer.body
            at = int(answer.headers["Upload-Offset"])
        return at


@pytest.mark.parametrize("kind", ["raw", "qcow2", "gz"])
def test_chunks_become_the_disk(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], kind: str
) -> None:
    data = images[kind].read_bytes()
    server = serve()
    client = Client(server)
    digest = hashlib.sha256(data).hexdigest()
    assert client.create(len(data), **said(filename="disk", sha256=digest)).status == 201
    assert client.offset == 0
    assert client.send(data, 7 * MIB) == len(data)
    assert client.offset == len(data)  # whoever has not heard the last answer asks again

    ended = server.ended()
    assert ended.termination.message == "Upload Complete"
    assert ended.termination.sha256 == digest
    session = uploadsession.parse(ended.termination.upload_session)
    assert session is not None
    assert session.length == len(data)
    assert session.is_at(client.path.rpartition("/")[2])
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def test_the_first_bytes_may_come_along(serve: Starter, images: dict[str, Path]) -> None:
    data = images["qcow2"].read_bytes()
    client = Client(serve())
    kind = {"Content-Type": "application/offset+octet-stream"}
    length = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data))}
    answer = client.server.request("POST", PATH, data[:MIB], {**kind, **length})
    assert (answer.status, answer.headers["Upload-Offset"]) == (201, str(MIB))
    client.path = answer.headers["Location"]
    assert client.send(data, 8 * MIB, MIB) == len(data)


def test_what_the_server_can_do_is_told(serve: Starter) -> None:
    answer = serve().request("OPTIONS", PATH)
    assert answer.status == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,creation-with-upload,termination,checksum"
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1,md5"


def test_requests_that_make_no_sense_change_nothing(
    serve: Starter, images: dict[str, Path]
) -> None:
    data = images["qcow2"].read_bytes()
    server = serve()
    client = Client(server)
    assert client.create(len(data), Upload_Metadata="sha256 bm8=").status == 400
    assert client.ask("POST").status == 400
    assert client.create(len(data), Upload_Concat="partial").status == 400
    assert client.create(len(data)).status == 201
    client.send(data, MIB, 0, MIB)

    assert client.patch(0, b"x").status == 409
    assert client.patch(0, b"x").headers["Upload-Offset"] == str(MIB)
    assert client.patch(MIB, bytes(len(data))).status == 413
    assert client.ask("PATCH", b"x", Upload_Offset=str(MIB)).status == 415
    assert client.ask("PUT", b"x").status == 405
    assert server.request("HEAD", client.path, headers={}).status == 412
    assert server.request("HEAD", client.path, headers={}, shown=None).status == 401
    assert Client(server, client.path[:-1] + "~").ask("HEAD").status == 404
    wrong = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    assert client.patch(MIB, b"x", Upload_Checksum=f"sha1 {wrong}").status == 460
    assert client.offset == MIB
    assert client.send(data, 8 * MIB, MIB) == len(data)


def test_a_chunk_of_unknown_length_brings_no_more_than_was_announced(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["qcow2"].read_bytes()
    server = serve()
    client = Client(server)
    client.create(len(data))
    headers = {
        "Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": "0",
    }  # fmt: skip
    pieces = uploading.in_pieces(data + b"more" * MIB)
    answer = server.request("PATCH", client.path, pieces, headers)
    assert (answer.status, answer.told["reason"]) == (413, "TooMuch")
    at = client.offset
    assert at < len(data)
    assert client.send(data, 32 * MIB, at) == len(data)
    server.ended()
    assert disks.differs(images["raw"], mounts.disk) == ""


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_chunks_with_checksums_are_taken(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path], algorithm: str
) -> None:
    data = images["qcow2"].read_bytes()
    client = Client(serve())
    client.create(len(data))
    for at in range(0, len(data), 9 * MIB):
        chunk = data[at : at + 9 * MIB]
        digest = base64.b64encode(hashlib.new(algorithm, chunk).digest()).decode()
        assert client.patch(at, chunk, Upload_Checksum=f"{algorithm} {digest}").status == 204
    client.server.ended()
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_a_chunk_that_is_cut_keeps_what_arrived(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["raw"].read_bytes()
    client = Client(serve())
    client.create(len(data))
    connection = client.server.connect()
    connection.sendall(_head(client.path, 0, len(data)) + data[: 10 * MIB])
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1 << 16):
        pass
    at = client.offset
    assert 9 * MIB < at <= 10 * MIB
    assert client.send(data, 32 * MIB, at) == len(data)
    client.server.ended()
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_a_newer_request_takes_over_from_a_half_open_one(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["raw"].read_bytes()
    client = Client(serve())
    client.create(len(data))
    silent = client.server.connect()
    silent.sendall(_head(client.path, 0, len(data)) + data[: 3 * MIB])
    assert client.send(data, 32 * MIB, client.offset) == len(data)
    client.server.ended()
    silent.close()
    assert disks.differs(images["raw"], mounts.disk) == ""


def _head(path: str, offset: int, length: int) -> bytes:
    return (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["raw", "qcow2", "xz", "gz"])
def test_a_session_survives_the_server(
    serve: Starter,
    mounts: worker.Mounts,
    images: dict[str, Path],
    kind: str,
    number: signal.Signals,
) -> None:
    data = images[kind].read_bytes()
    first = serve()
    client = Client(first)
    client.create(len(data), **said(sha256=hashlib.sha256(data).hexdigest()))
    sent = client.send(data, 4 * MIB, 0, len(data) * 3 // 4)
    journal = mounts.data / "disk.img.cdi-journal"
    wait_until(lambda: b'"stream"' in journal.read_bytes())
    first.process.send_signal(number)
    first.ended()

    second = serve()
    client.server = second
    at = client.offset
    assert 0 < at <= sent
    assert client.send(data, 16 * MIB, at) == len(data)
    assert second.ended().termination.message == "Upload Complete"
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_a_wrong_digest_is_told_and_nothing_stays(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["qcow2"].read_bytes()
    server = serve()
    client = Client(server)
    client.create(len(data), **said(sha256="0" * 64))
    answer = client.patch(0, data)
    assert (answer.status, answer.told["reason"]) == (400, "ChecksumError")
    assert client.ask("HEAD").status == 400
    ended = server.ended()
    assert (ended.status, ended.termination.reason) == (1, "ChecksumError")
    assert list(mounts.data.iterdir()) == []


def test_an_upload_that_is_given_up_leaves_nothing(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["raw"].read_bytes()
    server = serve()
    client = Client(server)
    client.create(len(data))
    client.send(data, 8 * MIB, 0, 24 * MIB)
    assert client.ask("DELETE").status == 204
    assert client.ask("HEAD").status == 404
    assert list(mounts.data.iterdir()) == []
    assert server.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200


def test_a_session_ends_with_its_claim(serve: Starter, images: dict[str, Path]) -> None:
    data = images["raw"].read_bytes()
    first = serve(claim_uid="claim-1")
    client = Client(first)
    client.create(len(data))
    client.send(data, 8 * MIB, 0, 24 * MIB)
    first.process.kill()
    first.ended()

    client.server = serve(claim_uid="claim-2")  # the storage is as the first one has left it
    assert client.ask("HEAD").status == 404
    client.path = PATH
    assert client.create(len(data)).status == 201
    assert client.offset == 0


def test_another_upload_takes_the_volume_of_a_session_that_is_silent(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = images["raw"].read_bytes()
    server = serve()
    client = Client(server)
    client.create(len(data))
    client.send(data, 8 * MIB, 0, 24 * MIB)
    assert server.post("/v1beta1/upload", images["qcow2"].read_bytes()).status == 200
    server.ended()
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def test_an_archive_can_be_sent_in_chunks(serve: Starter, mounts: worker.Mounts) -> None:
    data = tars.archive(tars.member("one", b"1" * 3 * MIB))
    client = Client(serve())
    client.create(len(data), **said(contentType="archive"))
    assert client.send(data, MIB) == len(data)
    client.server.ended()
    assert [path.name for path in mounts.data.iterdir()] == ["one"]


def files() -> bytes:
    """An archive of a large file, many small ones, and names that come twice."""
    noise = random.Random(5).randbytes
    small = [tars.member(f"small/{number}", noise(9000)) for number in range(1000)]
    large = tars.member("large", noise(24 * MIB), mode=0o600, mtime=1)
    return tars.archive(
        tars.folder("small", 0o750), *small[:500], large, *small[500:],
        tars.hardlink("link", "small/1"), tars.member("small/1", b"newer"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("packer", "share"),
    [pytest.param("cat", 0.7, id="in-a-file"), pytest.param("gzip -1 -c", 0.95, id="gz")],
)
def test_an_archives_session_survives_the_server(
    serve: Starter, mounts: worker.Mounts, packer: str, share: float
) -> None:
    plain = files()
    data = compressed.run(packer, plain)
    first = serve()
    client = Client(first)
    client.create(len(data), **said(contentType="archive", sha256=hashlib.sha256(data).hexdigest()))
    sent = client.send(data, 4 * MIB, 0, int(len(data) * share))
    notes = [mounts.data / ".cdi-partial" / name for name in ("place", "place-now")]
    wait_until(lambda: any(note.exists() for note in notes))
    first.process.kill()
    first.ended()

    client.server = second = serve()
    at = client.offset
    assert 0 < at <= sent
    assert client.send(data, 16 * MIB, at) == len(data)
    assert second.ended().termination.message == "Upload Complete"
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        newest = {member.name: member for member in archive}
        for name, member in newest.items():
            if member.isfile():
                found = archive.extractfile(member)
                assert found is not None
                assert (mounts.data / name).read_bytes() == found.read()
    assert (mounts.data / "link").read_bytes() != b"newer"
    assert (mounts.data / "small").stat().st_mode & 0o777 == 0o750
    assert (mounts.data / "large").stat().st_mtime == 1
    assert sorted(path.name for path in mounts.data.iterdir()) == ["large", "link", "small"]


def test_an_archives_session_that_is_given_up_leaves_nothing(
    serve: Starter, mounts: worker.Mounts
) -> None:
    data = files()
    client = Client(serve())
    client.create(len(data), **said(contentType="archive"))
    client.send(data, 8 * MIB, 0, 24 * MIB)
    assert client.ask("DELETE").status == 204
    assert list(mounts.data.iterdir()) == []


def test_a_client_that_others_wrote_uploads(
    serve: Starter, certificates: uploading.Certificates, mounts: worker.Mounts,
    images: dict[str, Path],
) -> None:  # fmt: skip
    server = serve()
    shown = (str(certificates.client[0]), str(certificates.client[1]))
    client = TusClient(f"https://127.0.0.1:{server.port}{PATH}", client_cert=shown)
    client.uploader(
        str(images["qcow2"]), chunk_size=3 * MIB, upload_checksum=True, verify_tls_cert=False
    ).upload()
    assert server.ended().termination.message == "Upload Complete"
    assert disks.differs(images["raw"], mounts.disk) == ""


def test_a_full_volume_takes_no_other_upload(serve: Starter, images: dict[str, Path]) -> None:
    data = images["qcow2"].read_bytes()
    client = Client(serve())
    client.create(len(data))
    client.send(data, len(data))
    answer = client.server.post("/v1beta1/upload", data)
    assert (answer.status, answer.told["reason"]) == (409, "AlreadyUploaded")
    assert Client(client.server).create(len(data)).status == 409


def test_a_session_goes_on_where_there_is_the_scratch_space_that_it_takes(
    serve: Starter, mounts: worker.Mounts, images: dict[str, Path]
) -> None:
    data = disks.convert(images["raw"], "vdi").read_bytes()
    first = serve()
    client = Client(first)
    client.create(len(data), **said(sha256=hashlib.sha256(data).hexdigest()))
    answer = client.patch(0, data)
    assert (answer.status, answer.told["reason"]) == (503, "ScratchSpaceRequired")
    assert answer.headers["Retry-After"]
    ended = first.ended()  # at once: another one has to take its place
    assert ended.termination.scratch_space_required

    mounts.scratch.mkdir()
    second = serve()
    client.server = second
    assert client.offset == 0
    sent = client.send(data, 4 * MIB, 0, len(data) * 3 // 4)
    copied = mounts.scratch / "tmpimage.cdi-journal"
    wait_until(lambda: copied.exists() and b'"stream"' in copied.read_bytes())
    second.process.kill()
    second.ended()

    third = serve()
    client.server = third
    at = client.offset
    assert 0 < at <= sent  # the copy goes on
    assert client.send(data, 4 * MIB, at) == len(data)
    assert third.ended().termination.message == "Upload Complete"
    assert disks.differs(images["raw"], mounts.disk) == ""
    assert list(mounts.scratch.iterdir()) == []


@loopdev.needs_root
@pytest.mark.root
def test_a_session_on_a_device_survives_its_pod(
    certificates: uploading.Certificates, images: dict[str, Path], tmp_path: Path
) -> None:
    data = images["qcow2"].read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    file = tmp_path / "file"
    file.write_bytes(b"\xff" * 128 * MIB)
    order = {"destination": "/dev/cdi-block-volume", "claim_uid": "claim-1"}

    def pod(name: str, **others: str) -> uploading.Server:
        """One with nothing of another pod but the device."""
        (tmp_path / name).mkdir()
        mounts = worker.Mounts(tmp_path / name, block=device)
        return uploading.Server(certificates, mounts, **{**order, **others})

    with loopdev.device(file) as device:
        with pod("first") as first:
            client = Client(first)
            client.create(len(data), **said(sha256=digest))
            sent = client.send(data, 4 * MIB, 0, len(data) // 2)
            first.process.send_signal(signal.SIGTERM)  # notes how far it is, and ends
            first.ended()
        with pod("stranger", claim_uid="claim-2") as stranger:
            client.server = stranger
            assert client.ask("HEAD").status == 404
        with pod("second") as second:
            client.server = second
            invented = Client(second, client.path[:-60] + client.path[-59:] + "A")
            assert invented.ask("HEAD").status == 404
            at = client.offset
            assert 0 < at <= sent
            assert client.send(data, 4 * MIB, at) == len(data)
            assert second.ended().termination.message == "Upload Complete"
        assert disks.differs(images["raw"], device) == ""
        with pod("third") as third:
            client.server = third
            assert client.ask("HEAD").status == 404  # a finished disk carries no notes


@loopdev.needs_root
@pytest.mark.root
def test_a_disk_that_fills_its_device_goes_on_in_another_pod(
    certificates: uploading.Certificates, images: dict[str, Path], tmp_path: Path
) -> None:
    data = images["qcow2"].read_bytes()
    file = tmp_path / "file"
    file.write_bytes(b"\xff" * 96 * MIB)  # as large as the disk
    order = {"destination": "/dev/cdi-block-volume", "claim_uid": "claim-1"}
    with loopdev.device(file) as device:
        (tmp_path / "first").mkdir()
        mounts = worker.Mounts(tmp_path / "first", block=device)
        with uploading.Server(certificates, mounts, **order) as first:
            client = Client(first)
            client.create(len(data))
            sent = client.send(data, 4 * MIB, 0, len(data) // 2)
            first.process.send_signal(signal.SIGTERM)
            first.ended()
        with uploading.Server(certificates, mounts, **order) as again:  # of the same pod
            client.server = again
            at = client.offset
            assert 0 < at <= sent
            client.send(data, 4 * MIB, at, len(data) * 3 // 4)
            again.process.send_signal(signal.SIGTERM)
            again.ended()
        (tmp_path / "second").mkdir()
        others = worker.Mounts(tmp_path / "second", block=device)
        with uploading.Server(certificates, others, **order) as second:
            client.server = second
            at = client.offset
            assert at > 0
            assert client.send(data, 4 * MIB, at) == len(data)
            assert second.ended().termination.message == "Upload Complete"
        assert disks.differs(images["raw"], device) == ""


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("number", [None, signal.SIGKILL])
def test_a_device_receives_an_upload(
    certificates: uploading.Certificates, images: dict[str, Path], tmp_path: Path,
    number: signal.Signals | None,
) -> None:  # fmt: skip
    data = images["qcow2"].read_bytes()
    file = tmp_path / "file"
    file.write_bytes(b"\xff" * 128 * MIB)  # what was there before may not show through
    with loopdev.device(file) as device:
        mounts = worker.Mounts(tmp_path, block=device)
        with uploading.Server(certificates, mounts, destination="/dev/cdi-block-volume") as server:
            client = Client(server)
            client.create(len(data))
            at = client.send(data, 4 * MIB, 0, len(data) // 2)
            if number is None:
                assert client.send(data, 4 * MIB, at) == len(data)
                assert server.ended().termination.message == "Upload Complete"
        if number is not None:
            with uploading.Server(certificates, mounts) as second:
                client.server = second
                assert client.send(data, 4 * MIB, client.offset) == len(data)
                assert second.ended().termination.message == "Upload Complete"
        assert disks.differs(images["raw"], device) == ""
        assert list(mounts.state.iterdir()) == []
