"""The poller: which version of a source there is, from real registries and web servers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from cdi.api.termination import Termination
from cdi.api.workorder import PollOrder
from cdi.workers import poller
from support import httpd, registry

DISK = b"disk" * 1000
SHA256, SHA512 = hashlib.sha256(DISK).hexdigest(), hashlib.sha512(DISK).hexdigest()


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as running:
        yield running


def polled(tmp_path: Path, source: str, url: str, **more: object) -> tuple[int, Termination]:
    """Run the poller as a pod does."""
    order = PollOrder(source=source, endpoint=url, insecure_tls=source == "registry", **more)
    log = tmp_path / "termination-log"
    status = poller.main({**order.to_env(), "CDI_TERMINATION_LOG": str(log)})
    return status, Termination.from_message(log.read_text(), status)


def version(tmp_path: Path, source: str, url: str, **more: object) -> str:
    status, said = polled(tmp_path, source, url, **more)
    assert (status, said.message) == (0, "Poll Complete")
    return said.version


def test_an_image_is_known_by_the_digest_of_its_manifest(tmp_path):
    index = registry.Index({("linux", "amd64", ""): registry.disk_image(DISK)})
    with registry.Registry(tmp_path / "registry") as running:
        one = running.push("a/b", "latest", registry.disk_image(DISK))
        other = running.push("a/b", "index", index)
        assert version(tmp_path, "registry", one) == registry.disk_image(DISK).manifest.digest
        assert version(tmp_path, "registry", other) == index.manifest.digest


def test_a_poll_costs_a_registry_few_requests(tmp_path):
    with registry.fake() as running:
        url = running.push("a/b", "latest", registry.disk_image(DISK))
        version(tmp_path, "registry", url)
        assert len(running.server.requests) <= 5  # TLS or not, token, manifest


def test_polls_of_one_second_can_be_told_apart(tmp_path, server):
    url = server.put("/disk", httpd.Blob(DISK))
    _, first = polled(tmp_path, "http", url)
    _, second = polled(tmp_path, "http", url)
    assert datetime.fromisoformat(first.ended_at) < datetime.fromisoformat(second.ended_at)


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        pytest.param(httpd.status(429), "429", id="too-many-requests"),
        pytest.param(httpd.status(401), "401", id="wants-a-login"),
        pytest.param(httpd.status(404), "404", id="not-there"),
        pytest.param(httpd.status(503), "503", id="in-trouble"),
    ],
)
def test_a_server_that_refuses_is_quoted(tmp_path, server, twist, words):
    url = server.put("/disk", httpd.Blob(DISK, twist=twist))
    status, said = polled(tmp_path, "http", url)
    assert (status, said.version) == (1, "")
    assert words in said.message
    assert len(server.requests) <= 4


def test_a_registry_that_is_not_there_is_told(tmp_path):
    status, said = polled(tmp_path, "registry", "docker://127.0.0.1:1/a/b:latest")
    assert (status, said.version) == (1, "")
    assert "127.0.0.1:1" in said.message


FILE = httpd.Blob(DISK)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(FILE, True, id="nothing-changed"),
        pytest.param(replace(FILE, etag='"v2"'), False, id="etag"),
        pytest.param(replace(FILE, modified="Sun, 02 Mar 2025 10:00:00 GMT"), False, id="time"),
        pytest.param(replace(FILE, body=DISK + b"!"), False, id="length"),
        pytest.param(replace(FILE, ranges=False), True, id="without-ranges"),
    ],
)
def test_a_file_is_another_version_when_its_server_says_so(tmp_path, server, other, same):
    url = server.put("/disk.qcow2", FILE)
    first = version(tmp_path, "http", url)
    server.put("/disk.qcow2", other)
    second = version(tmp_path, "http", url)
    assert first.startswith("uid:")
    assert (first == second) is same


def test_mirrors_with_other_etags_are_one_version(tmp_path, server):
    found = []
    for number in (1, 2):
        there = server.put(f"/mirror{number}", replace(FILE, etag=f'"{number}"'))
        server.put("/disk.qcow2", lambda _, to=there: httpd.Reply(302, b"", {"Location": to}))
        found.append(version(tmp_path, "http", f"{server.origin}/disk.qcow2"))
    assert found[0] == found[1]


def test_a_server_that_says_nothing_of_versions_is_no_source(tmp_path, server):
    url = server.put("/disk", replace(FILE, etag=None, modified=None))
    status, said = polled(tmp_path, "http", url)
    assert status == 1
    assert "file of checksums" in said.message


@pytest.mark.parametrize(
    ("listing", "found"),
    [
        pytest.param(f"{'0' * 64}  other\n{SHA256}  disk.qcow2\n", f"sha256:{SHA256}", id="gnu"),
        pytest.param(f"{SHA256} *disk.qcow2\n", f"sha256:{SHA256}", id="binary"),
        pytest.param(f"# x\nSHA256 (disk.qcow2) = {SHA256}\n", f"sha256:{SHA256}", id="bsd"),
        pytest.param(f"{SHA256.upper()}\n", f"sha256:{SHA256}", id="alone"),
        pytest.param(f"{SHA512}  ./disk.qcow2\n", f"uid:{SHA512}", id="sha512"),
    ],
)
def test_a_file_of_checksums_says_it_best(tmp_path, server, listing, found):
    server.put("/images/SHA256SUMS", httpd.Blob(listing.encode()))
    url = f"{server.origin}/images/disk.qcow2"
    assert version(tmp_path, "http", url, checksum_file="SHA256SUMS") == found
    assert server.requests_for("/images/disk.qcow2") == []


def test_a_file_of_checksums_that_names_other_files_is_refused(tmp_path, server):
    url = server.put("/SHA256SUMS", httpd.Blob(f"{SHA256}  other\n{SHA256}  more\n".encode()))
    disk = f"{server.origin}/disk.qcow2"
    status, said = polled(tmp_path, "http", disk, checksum_file=url)
    assert status == 1
    assert "does not name disk.qcow2" in said.message
