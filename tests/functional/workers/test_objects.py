"""The importer and object stores: credentials from variables and mounts, and no word of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import authority, disks, httpd, objectstores, worker
from support.objectstores import KEY_ID, SECRET, TOKEN

MIB = 1 << 20
KEYS = {"access_key_id": KEY_ID, "secret_key": SECRET}
CREDENTIALS = "/google/credentials.json"
CANARIES = (KEY_ID, SECRET, TOKEN, "CANARY", "canary")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw", 8 * MIB, 2 * MIB)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


def assert_filled(ended: worker.Ended, mounts: worker.Mounts, disk: Path) -> None:
    assert ended.termination.done, ended.log
    assert mounts.disk.read_bytes() == disk.read_bytes().ljust(32 * MIB, b"\0")
    assert not any(canary in ended.log for canary in CANARIES)


def test_keys_and_session_token_come_from_the_environment(
    server: httpd.Server, mounts: worker.Mounts, disk: Path
) -> None:
    blob = objectstores.Signed(httpd.Blob(disk.read_bytes()), token=TOKEN)
    url = server.put("/bucket/disk", blob)
    order = worker.order(url, source="s3", session_token=TOKEN, **KEYS)
    assert_filled(worker.run(order, mounts), mounts, disk)


def test_keys_of_a_secret_made_from_files_end_with_a_line(
    server: httpd.Server, mounts: worker.Mounts, disk: Path
) -> None:
    blob = objectstores.Signed(httpd.Blob(disk.read_bytes()), token=TOKEN)
    keys = {name: f"{value}\n" for name, value in (KEYS | {"session_token": TOKEN}).items()}
    order = worker.order(server.put("/bucket/disk", blob), source="s3", **keys)
    assert_filled(worker.run(order, mounts), mounts, disk)


def test_a_private_authority_is_trusted(mounts: worker.Mounts, disk: Path, tmp_path: Path) -> None:
    certificates = authority.Authority(tmp_path / "ca")
    (mounts.certs / "ca.pem").write_bytes(certificates.ca.read_bytes())
    with httpd.Server(tls=certificates.server_context("127.0.0.1")) as server:
        server.put("/bucket/disk", objectstores.Signed(httpd.Blob(disk.read_bytes())))
        url = f"s3://127.0.0.1:{server.port}/bucket/disk"
        order = worker.order(url, source="s3", cert_dir="/certs", **KEYS)
        assert_filled(worker.run(order, mounts), mounts, disk)


def test_google_credentials_come_from_their_mount(
    server: httpd.Server, mounts: worker.Mounts, disk: Path
) -> None:
    google = objectstores.Google()
    credentials = google.authorized_user(server.put("/token", google.tokens))
    (mounts.google / "credentials.json").write_text(credentials)
    url = server.put("/bucket/disk", google.guarded(httpd.Blob(disk.read_bytes())))
    order = worker.order(url, source="gcs", google_credentials=CREDENTIALS)
    assert_filled(worker.run(order, mounts), mounts, disk)


FAILURES = [
    pytest.param(
        "s3", {"access_key_id": "AKIAOTHER", "secret_key": SECRET}, "AccessDenied",
        "InvalidAccessKeyId", id="wrong-key-id",
    ),
    pytest.param(
        "s3", {"access_key_id": KEY_ID, "secret_key": "canary"}, "AccessDenied",
        "SignatureDoesNotMatch", id="wrong-secret",
    ),
    pytest.param("s3", {}, "AccessDenied", "give credentials", id="no-keys"),
    pytest.param("gcs", {}, "AccessDenied", "give credentials", id="anonymous"),
    pytest.param(
        "gcs", {"google_credentials": CREDENTIALS}, "InvalidRequest", "credentials.json",
        id="no-file",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "given", "reason", "words"), FAILURES)
def test_a_failure_names_its_reason_and_no_secret(
    source: str, given: dict[str, str], reason: str, words: str,
    server: httpd.Server, mounts: worker.Mounts,
) -> None:  # fmt: skip
    url = server.put("/bucket/disk", objectstores.Signed(httpd.Blob(b"")))
    ended = worker.run(worker.order(url, source=source, **given), mounts)
    said = ended.termination
    assert (ended.status, said.permanent, said.reason) == (1, True, reason), ended.log
    assert said.message.startswith(f"Unable to connect to {source} data source: ")
    assert words in said.message
    assert not any(canary in ended.log + said.message for canary in CANARIES)
