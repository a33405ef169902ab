"""Cut and killed: an import from an object store fetches hardly anything twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import disks, httpd, importing, objectstores

MIB = 1 << 20
ALLOWED = 1.05  # bytes fetched in all, against the size of the object


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw", 32 * MIB, 26 * MIB)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


class Store:
    """One kind of object store: what guards its objects, and what its tools' users set."""

    def __init__(self, kind: str, server: httpd.Server, folder: Path) -> None:
        self._google = objectstores.Google(life=1.0)  # a second: renewed while bytes flow
        self._server = server
        self.environment = {"HOME": str(folder)}
        if kind == "s3":
            self.url = "s3://bucket/disk"
            self.environment |= {
                "AWS_ACCESS_KEY_ID": objectstores.KEY_ID,
                "AWS_SECRET_ACCESS_KEY": objectstores.SECRET,
                "AWS_ENDPOINT_URL": server.origin,
            }
            self._guard = objectstores.Signed
        else:
            self.url = "gs://bucket/disk"
            given = folder / "credentials.json"
            token_uri = server.put("/token", self._google.tokens)
            given.write_text(self._google.service_account(token_uri))
            self.environment |= {
                "GOOGLE_APPLICATION_CREDENTIALS": str(given),
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": server.origin,
            }
            self._guard = self._google.guarded

    def put(self, blob: httpd.Blob) -> None:
        self._server.put("/bucket/disk", self._guard(blob))

    def run(self, output: Path) -> importing.Outcome:
        return importing.run(self.url, output, **self.environment)

    def kill_after(self, count: int, blob: httpd.Blob, output: Path) -> None:
        """Let `count` bytes out, then nothing more, and kill the import."""
        left, dry, lock = [count], threading.Event(), threading.Lock()

        def limited(_: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
            with lock:
                allowed = min(left[0], len(reply.body))
                left[0] -= allowed
            if allowed == len(reply.body):
                return reply
            dry.set()
            return replace(reply, stall_after=allowed)

        self.put(replace(blob, twist=limited))
        process = importing.start(self.url, output, **self.environment)
        assert dry.wait(60)
        process.kill()
        process.communicate()


@pytest.fixture(params=["s3", "gcs"])
def store(request: pytest.FixtureRequest, server: httpd.Server, tmp_path: Path) -> Store:
    return Store(request.param, server, tmp_path)


def test_one_run_survives_a_store_that_cuts_every_connection(
    store: Store, disk: Path, tmp_path: Path
) -> None:
    rng = random.Random(1)

    def cutting(_: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        return replace(reply, cut_after=rng.randrange(1, 2 * MIB), reset=rng.random() < 0.5)

    body = disk.read_bytes()
    store.put(httpd.Blob(body, twist=cutting))
    seen = store.run(tmp_path / "disk.img")
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(disk, tmp_path / "disk.img") == ""
    assert seen.last["bytesFetched"] <= ALLOWED * len(body)


def test_a_killed_import_continues(
    store: Store, server: httpd.Server, disk: Path, tmp_path: Path
) -> None:
    blob = httpd.Blob(disk.read_bytes())
    for _ in range(2):
        store.kill_after(8 * MIB, blob, tmp_path / "disk.img")
    store.put(blob)
    seen = store.run(tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, True), seen.output + seen.errors
    assert disks.differs(disk, tmp_path / "disk.img") == ""
    assert server.served <= ALLOWED * len(blob.body)


def test_an_object_that_was_replaced_meanwhile_is_fetched_anew(
    store: Store, disk: Path, tmp_path: Path
) -> None:
    body = disk.read_bytes()
    store.kill_after(8 * MIB, httpd.Blob(body[::-1], etag='"old"'), tmp_path / "disk.img")
    store.put(httpd.Blob(body))
    seen = store.run(tmp_path / "disk.img")
    assert (seen.status, seen.last["resumed"]) == (0, False), seen.output + seen.errors
    assert disks.differs(disk, tmp_path / "disk.img") == ""
