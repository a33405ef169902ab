"""The importer fills a volume with the files of an archive, as a node meets it."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import appliances, compressed, disks, httpd, objectstores, tars, worker

MIB = 1 << 20
FILES = tars.archive(
    tars.folder("folder", 0o750),
    tars.member("folder/file", b"content" * 100_000, mode=0o640),
    tars.symlink("link", "folder/file"),
)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        server.put("/a.tar", httpd.Blob(FILES))
        server.put("/page", httpd.Blob(b"<!DOCTYPE html><html>Log in</html>" + b" " * 2000))
        yield server


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    mounts = worker.Mounts(tmp_path)
    (mounts.data / "lost+found").mkdir()
    return mounts


def order(url: str, **more: object) -> worker.WorkOrder:
    return worker.order(url, content_type="archive", **more)


def left(mounts: worker.Mounts) -> list[str]:
    return sorted(path.name for path in mounts.data.iterdir())


@pytest.mark.parametrize("packing", ["", "gzip", "xz -T1", "zstd -q"])
def test_the_files_of_an_archive_fill_the_volume(
    packing: str, server: httpd.Server, mounts: worker.Mounts
) -> None:
    data = compressed.run(packing, FILES) if packing else FILES
    checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
    url = server.put("/packed", httpd.Blob(data))

    ended = worker.run(order(url, checksum=checksum, preallocation=True), mounts)

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert ended.termination.preallocation_applied is False
    assert left(mounts) == ["folder", "link", "lost+found"]
    assert (mounts.data / "link").read_bytes() == b"content" * 100_000
    assert stat.S_IMODE((mounts.data / "folder" / "file").stat().st_mode) == 0o640
    assert f"Successfully completed fsync({mounts.data}) syscall" in ended.log


def test_a_broken_connection_is_taken_up_again(server: httpd.Server, mounts: worker.Mounts) -> None:
    blob = httpd.Blob(FILES, twist=httpd.first(3, httpd.cut_after(100_000)))

    assert worker.run(order(server.put("/flaky", blob)), mounts).status == 0
    assert (mounts.data / "folder" / "file").stat().st_size == 700_000


def test_object_stores_hold_archives_too(server: httpd.Server, mounts: worker.Mounts) -> None:
    url = server.put("/bucket/a.tar", objectstores.Signed(httpd.Blob(FILES)))
    keys = {"access_key_id": objectstores.KEY_ID, "secret_key": objectstores.SECRET}

    assert worker.run(order(url, source="s3", **keys), mounts).status == 0
    assert left(mounts) == ["folder", "link", "lost+found"]


@pytest.mark.parametrize(
    ("path", "more", "reason", "words"),
    [
        pytest.param("/page", {}, "NotAnArchive", "Unable to process data: the source is no tar "
                     "archive, it looks like a web page", id="no-archive"),
        pytest.param("/a.tar", {"checksum": f"md5:{'0' * 32}"}, "ChecksumError",
                     "checksum validation failed", id="wrong-checksum"),
        pytest.param("/gone", {}, "SourceNotFound", "Unable to connect to http data source: ",
                     id="not-found"),
        pytest.param("/a.tar", {"image_size": worker.parse("512Ki")}, "TargetTooSmall",
                     "A larger PVC is required", id="too-large"),
    ],
)  # fmt: skip
def test_a_failure_leaves_the_volume_as_it_was(
    path: str, more: dict[str, object], reason: str, words: str,
    server: httpd.Server, mounts: worker.Mounts,
) -> None:  # fmt: skip
    ended = worker.run(order(f"{server.origin}{path}", **more), mounts)

    assert (ended.termination.reason, ended.termination.permanent) == (reason, True)
    assert words in ended.termination.message
    assert left(mounts) == ["lost+found"]


@pytest.mark.parametrize("kind", ["none", "registry", "imageio", "vddk"])
def test_sources_of_disks_are_refused_before_anything_is_touched(
    kind: str, mounts: worker.Mounts
) -> None:
    (mounts.data / "kept").touch()
    ended = worker.run(order("docker://127.0.0.1:1/never-asked", source=kind), mounts)

    assert (ended.termination.reason, ended.termination.permanent) == ("InvalidRequest", True)
    assert "archive" in ended.termination.message
    assert left(mounts) == ["kept", "lost+found"]


def test_a_block_volume_is_refused(server: httpd.Server, tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.write_bytes(b"old" * 1000)
    ended = worker.run(order(f"{server.origin}/a.tar"), worker.Mounts(tmp_path, block=device))

    assert (ended.termination.reason, ended.termination.permanent) == ("InvalidRequest", True)
    assert "use volumeMode Filesystem" in ended.termination.message
    assert device.read_bytes() == b"old" * 1000


def test_the_disk_of_an_appliance_fills_the_volume(
    server: httpd.Server, mounts: worker.Mounts, tmp_path: Path
) -> None:
    raw = disks.raw_disk(tmp_path / "disk.raw", 8 * MIB, MIB)
    files = {"vm.qcow2": disks.convert(raw, "qcow2").read_bytes()}
    url = server.put("/vm.ova", httpd.Blob(appliances.appliance(files, appliances.manifest(files))))

    assert worker.run(worker.order(url, size="8Mi"), mounts).status == 0
    assert disks.differs(mounts.disk, raw) == ""


def test_of_several_disks_the_one_behind_the_url_is_taken(
    server: httpd.Server, mounts: worker.Mounts
) -> None:
    data = appliances.appliance({"a.raw": b"\1" * 4096, "b 2.raw": b"\2" * 4096})
    url = server.put("/vm.ova", httpd.Blob(data))

    said = worker.run(worker.order(url), mounts).termination
    assert (said.reason, said.permanent) == ("InvalidRequest", True)
    assert '2 disks: "a.raw", "b 2.raw"; say which' in said.message
    assert worker.run(worker.order(f"{url}#b%202.raw", size="1Mi"), mounts).status == 0
    assert mounts.disk.read_bytes().rstrip(b"\0") == b"\2" * 4096
