"""The importer as a node meets it: exit status, termination message, and the disk it leaves."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import urllib3

from cdi.api.workorder import WorkOrder
from support import authority, disks, filesystems, httpd, loopdev, worker

MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    disk = disks.raw_disk(folder / "disk.raw")
    disks.convert(disk, "qcow2")
    disks.convert(disk, "vdi")
    disks.compress(disk, "gz")
    (folder / "canary").write_bytes(b"SECRET" * 10_000)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", folder / "canary",
         folder / "backed"],
        check=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        for path in folder.iterdir():
            server.put(f"/{path.name}", httpd.Blob(path.read_bytes()))
        server.put("/page", httpd.Blob(b"<!DOCTYPE html><html>Log in</html>" + b" " * 2000))
        server.put("/busy", httpd.Blob(b"", twist=httpd.status(503, Retry_After="900")))
        yield server


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


def grown(disk: Path, size: int) -> bytes:
    return disk.read_bytes().ljust(size, b"\0")


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_end_that_nobody_can_read_is_no_success(mounts: worker.Mounts) -> None:
    mounts.termination.parent.joinpath("a-file").touch()
    nowhere = str(mounts.termination.parent / "a-file" / "log")
    ended = worker.run(worker.order(), mounts, CDI_TERMINATION_LOG=nowhere)

    assert ended.status == 1
    assert "the termination message is lost" in ended.log


@pytest.mark.parametrize("name", ["disk.raw", "disk.qcow2", "disk.raw.gz"])
def test_an_image_becomes_a_disk_of_the_requested_size(
    name: str, server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    ended = worker.run(worker.order(f"{server.origin}/{name}"), mounts)

    assert ended.status == 0
    assert ended.termination.message == "Import Complete"
    assert ended.termination.done
    assert ended.termination.bytes_fetched
    assert mounts.disk.read_bytes() == grown(folder / "disk.raw", 32 * MIB)
    assert stat.S_IMODE(mounts.disk.stat().st_mode) == 0o660
    assert left_in(mounts.data) == ["disk.img"]
    assert f"Successfully completed fsync({mounts.disk}) syscall" in ended.log


SIZES = [
    pytest.param("32Mi", "0", 32 * MIB, id="all-of-it"),
    pytest.param("40Mi", "0.06", 37 * MIB, id="less-the-overhead"),
    pytest.param("24Mi", "0", 24 * MIB, id="exactly-the-image"),
    pytest.param("25Mi", "0.06", 24 * MIB, id="image-larger-than-what-overhead-leaves"),
]


@pytest.mark.parametrize(("request_", "overhead", "size"), SIZES)
def test_the_disk_gets_what_the_volume_has_room_for(
    request_: str, overhead: str, size: int, server: httpd.Server, mounts: worker.Mounts
) -> None:
    order = worker.order(
        f"{server.origin}/disk.qcow2", request_, filesystem_overhead=Decimal(overhead)
    )

    assert worker.run(order, mounts).status == 0
    assert mounts.disk.stat().st_size == size


def test_a_blank_disk_is_sparse_and_an_old_one_makes_way(mounts: worker.Mounts) -> None:
    mounts.disk.write_bytes(b"old")

    ended = worker.run(worker.order(size="64Mi"), mounts)

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert mounts.disk.stat().st_size == 64 * MIB
    assert mounts.disk.stat().st_blocks == 0
    assert stat.S_IMODE(mounts.disk.stat().st_mode) == 0o660


@loopdev.needs_root
def test_a_blank_disk_that_gets_less_than_its_claim_says_so(tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    mounts = worker.Mounts(tmp_path / "pod")
    with filesystems.mounted("tmpfs", tmp_path, mib=32) as small:
        ended = worker.run(worker.order(size="64Mi"), mounts, CDI_DATA_DIR=str(small))

        size = (small / "disk.img").stat().st_size
        assert (ended.status, ended.termination.says_complete) == (0, True)
        assert ended.termination.message == (
            f"Import Complete; the disk has {size} bytes, less than the {64 * MIB} that the claim "
            f"makes expect: the file system of the volume has {32 * MIB} bytes free"
        )


@loopdev.needs_root
def test_a_full_machine_is_out_of_space_and_no_reason_for_a_larger_claim(
    server: httpd.Server, tmp_path: Path
) -> None:
    (tmp_path / "pod").mkdir()
    mounts = worker.Mounts(tmp_path / "pod")
    with filesystems.mounted("tmpfs", tmp_path, mib=64) as shared:
        (shared / "others").write_bytes(bytes(60 * MIB))
        place = {"CDI_DATA_DIR": str(shared)}
        ended = worker.run(worker.order(f"{server.origin}/disk.qcow2", "48Mi"), mounts, **place)

        assert (ended.status, ended.termination.permanent) == (1, False)
        assert ended.termination.reason == "NoSpace"
        assert "larger PVC" not in ended.termination.message

        for left in shared.glob("disk.img.*"):
            left.unlink()
        assert worker.run(worker.order(size="48Mi"), mounts, **place).status == 0
        assert (shared / "disk.img").stat().st_size == 48 * MIB


def test_a_preallocated_blank_disk_occupies_its_size(mounts: worker.Mounts) -> None:
    ended = worker.run(worker.order(size="8Mi", preallocation=True), mounts)

    assert ended.termination.preallocation_applied
    assert mounts.disk.stat().st_blocks * 512 >= 8 * MIB


@loopdev.needs_root
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_preallocated_blank_disk_fills_a_volume_that_is_smaller_than_its_claim(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "pod").mkdir()
    mounts = worker.Mounts(tmp_path / "pod")
    with filesystems.mounted(kind, tmp_path, mib=320) as small:
        order = worker.order(size="320Mi", preallocation=True)
        ended = worker.run(order, mounts, CDI_DATA_DIR=str(small))

        found = (small / "disk.img").stat()
        assert (ended.status, ended.termination.preallocation_applied) == (0, True)
        assert found.st_blocks * 512 >= found.st_size > 230 * MIB
        assert f"the disk has {found.st_size} bytes, less than" in ended.termination.message


def test_a_matching_checksum_is_reported(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    digits = hashlib.sha256((folder / "disk.raw.gz").read_bytes()).hexdigest()

    order = worker.order(f"{server.origin}/disk.raw.gz", checksum=f"sha256:{digits}")

    assert worker.run(order, mounts).termination.sha256 == digits


CONNECTING = "Unable to connect to http data source: "
PROCESSING = "Unable to process data: "
FAILURES = [
    pytest.param("gone", {}, 1, True, "SourceNotFound", CONNECTING, "404 Not Found", id="404"),
    pytest.param("page", {}, 1, True, "NotADisk", PROCESSING, "web page", id="web-page"),
    pytest.param("backed", {}, 1, True, "UnsafeImage", PROCESSING, "backing", id="backing-file"),
    pytest.param(
        "disk.qcow2", {"size": "10Mi"}, 1, True, "TargetTooSmall", PROCESSING,
        "is larger than the reported available storage 10485760. A larger PVC is required",
        id="too-small",
    ),
    pytest.param(
        "disk.raw", {"checksum": "md5:" + "0" * 32}, 0, True, "ChecksumError", PROCESSING,
        "checksum validation failed: checksum mismatch", id="checksum",
    ),
    pytest.param(
        "disk.raw", {"checksum": "crc:12"}, 1, True, "InvalidRequest", CONNECTING, "crc:12",
        id="ill-formed-checksum",
    ),
    pytest.param(
        "disk.raw", {"content_type": "archive"}, 1, True, "NotAnArchive", PROCESSING,
        "no tar archive, it looks like", id="no-archive",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "order", "status", "permanent", "reason", "prefix", "words"), FAILURES
)
def test_a_failure_says_why_and_leaves_nothing(
    name: str,
    order: dict[str, str],
    status: int,
    permanent: bool,
    reason: str,
    prefix: str,
    words: str,
    server: httpd.Server,
    mounts: worker.Mounts,
) -> None:
    ended = worker.run(worker.order(f"{server.origin}/{name}", **order), mounts)

    assert (ended.status, ended.termination.permanent) == (status, permanent)
    assert ended.termination.reason == reason
    assert ended.termination.message.startswith(prefix)
    assert words in ended.termination.message
    assert not ended.termination.done
    assert left_in(mounts.data) == []


def test_scratch_space_is_asked_for_only_where_it_is_needed_and_then_used(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    order = worker.order(f"{server.origin}/disk.vdi")

    first = worker.run(order, mounts)
    mounts.scratch.mkdir()
    second = worker.run(order, mounts)

    assert (first.status, first.termination.scratch_space_required) == (0, True)
    assert not first.termination.done
    assert (second.status, second.termination.done) == (0, True)
    assert mounts.disk.read_bytes() == grown(folder / "disk.raw", 32 * MIB)
    assert left_in(mounts.scratch) == []


def test_a_refused_connection_is_worth_another_start(mounts: worker.Mounts) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/disk"

    ended = worker.run(worker.order(url), mounts)

    assert (ended.status, ended.termination.permanent) == (1, False)
    assert ended.termination.reason == "SourceUnavailable"
    assert ended.termination.message.startswith(CONNECTING)


def test_an_order_that_cannot_be_read_is_answered(mounts: worker.Mounts) -> None:
    ended = worker.run(worker.order(), mounts, IMPORTER_IMAGE_SIZE="much")

    assert (ended.status, ended.termination.reason) == (1, "InvalidRequest")
    assert "IMPORTER_IMAGE_SIZE" in ended.termination.message


def test_credentials_of_a_secret_made_from_files_end_with_a_line(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    blob = httpd.Blob((folder / "disk.qcow2").read_bytes())
    url = server.put("/guarded", httpd.guarded("someone", "s3cr3t", blob))
    order = worker.order(url, access_key_id="someone\n", secret_key="s3cr3t\r\n")
    assert worker.run(order, mounts).status == 0


def test_credentials_and_headers_reach_the_source_and_no_log(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    blob = httpd.Blob((folder / "disk.qcow2").read_bytes())
    server.put("/guarded", httpd.guarded("someone", "s3cr3t", blob))
    (mounts.headers / "0").mkdir()
    (mounts.headers / "0" / "token").write_text("X-Token: hidden-token\n")
    (mounts.headers / "0" / "..data").mkdir()
    order = worker.order(
        f"{server.origin}/guarded",
        access_key_id="someone",
        secret_key="s3cr3t",
        extra_headers=("X-Plain: plain-value",),
    )

    ended = worker.run(order, mounts)

    assert ended.status == 0
    for request in server.requests_for("/guarded"):
        assert request.header("x-token") == "hidden-token"
        assert request.header("x-plain") == "plain-value"
    for secret in ("s3cr3t", "hidden-token", "plain-value"):
        assert secret not in ended.log + mounts.termination.read_text()


def test_the_mounted_authorities_are_trusted(mounts: worker.Mounts, folder: Path) -> None:
    made = authority.Authority(mounts.folder)
    with httpd.Server(tls=made.server_context("127.0.0.1")) as server:
        url = server.put("/disk", httpd.Blob((folder / "disk.qcow2").read_bytes()))
        refused = worker.run(worker.order(url), mounts)
        (mounts.certs / "ca.pem").write_bytes(made.ca.read_bytes())
        accepted = worker.run(worker.order(url, cert_dir="/certs"), mounts)

    assert refused.termination.reason == "CertificateInvalid"
    assert accepted.status == 0


def scraped(mounts: worker.Mounts, port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib3.PoolManager(ssl_context=context, retries=False) as pool:
        return pool.request("GET", f"https://127.0.0.1:{port}/metrics").data.decode()


def port_of(mounts: worker.Mounts, process: subprocess.Popen[str]) -> int:
    while process.poll() is None:
        if mounts.port_file.exists():
            return int(mounts.port_file.read_text())
    raise AssertionError("the worker ended before it served metrics")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_progress_is_served_while_bytes_flow(mounts: worker.Mounts, folder: Path) -> None:
    with httpd.Server() as server:
        blob = httpd.Blob((folder / "disk.raw").read_bytes(), ranges=False)
        blob.twist = httpd.changed(stall_after=6 * MIB)
        process = worker.start(worker.order(server.put("/disk", blob)), mounts)
        try:
            port = port_of(mounts, process)
            pattern = r'^kubevirt_cdi_import_progress_total\{ownerUID="uid-1"\} (\d{1,3}\.?\d*)$'
            share = 0.0
            while share < 25:
                found = re.search(pattern, scraped(mounts, port), re.MULTILINE)
                share = float(found[1]) if found else 0.0
        finally:
            process.terminate()
            ended = worker.ended(process, mounts)

    assert share == 25.0
    assert (ended.status, ended.termination.reason) == (143, "Cancelled")


def test_what_was_stopped_continues(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    body = (folder / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
    order = worker.order(f"{server.origin}/disk")
    process = worker.start(order, mounts)
    while server.served < 4 * MIB:
        assert process.poll() is None
    process.terminate()
    stopped = worker.ended(process, mounts)
    server.put("/disk", httpd.Blob(body))
    ended = worker.run(order, mounts)

    assert stopped.termination.reason == "Cancelled"
    assert not stopped.termination.permanent
    assert ended.termination.bytes_fetched is not None
    assert ended.termination.bytes_fetched < len(body)
    assert mounts.disk.read_bytes() == grown(folder / "disk.raw", 32 * MIB)


def test_what_was_killed_is_done_in_the_end(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    body = (folder / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
    order = worker.order(f"{server.origin}/disk")
    for served in (2 * MIB, 6 * MIB):
        process = worker.start(order, mounts)
        while server.served < served:
            assert process.poll() is None
        process.kill()
        worker.ended(process, mounts)
        assert not mounts.disk.exists()
    server.put("/disk", httpd.Blob(body))

    assert worker.run(order, mounts).termination.done
    assert mounts.disk.read_bytes() == grown(folder / "disk.raw", 32 * MIB)
    assert left_in(mounts.data) == ["disk.img"]


def test_a_message_is_json_with_the_known_keys(mounts: worker.Mounts) -> None:
    worker.run(worker.order(size="1Mi"), mounts)

    message = json.loads(mounts.termination.read_text())

    assert message["scratchSpaceRequired"] is False
    assert message["preallocationApplied"] is False
    assert message["message"] == "Import Complete"


@loopdev.needs_root
@pytest.mark.root
def test_a_block_volume_is_filled_and_stale_data_is_gone(
    server: httpd.Server, tmp_path: Path, folder: Path
) -> None:
    file = tmp_path / "volume"
    file.write_bytes(b"stale" * (40 * MIB // 5))
    with loopdev.device(file) as device:
        mounts = worker.Mounts(tmp_path, block=device)
        ended = worker.run(worker.order(f"{server.origin}/disk.qcow2", "40Mi"), mounts)
        assert device.read_bytes() == grown(folder / "disk.raw", file.stat().st_size)

    assert ended.status == 0
    assert f"Successfully completed fsync({device}) syscall" in ended.log


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("preallocation", [False, True])
def test_a_blank_block_volume_reads_as_zeros(tmp_path: Path, preallocation: bool) -> None:
    file = tmp_path / "volume"
    file.write_bytes(b"stale!!!" * MIB)
    with loopdev.device(file) as device:
        mounts = worker.Mounts(tmp_path, block=device)
        ended = worker.run(worker.order(size="8Mi", preallocation=preallocation), mounts)
        assert not device.read_bytes().strip(b"\0")

    assert ended.status == 0
    assert (file.stat().st_blocks * 512 >= 8 * MIB) == preallocation


@loopdev.needs_root
@pytest.mark.root
def test_an_import_into_a_device_continues_in_the_next_container(
    server: httpd.Server, tmp_path: Path, folder: Path
) -> None:
    """What a pod keeps for its containers is enough; a /tmp would be gone."""
    body = (folder / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
    file = tmp_path / "volume"
    file.write_bytes(b"stale!!!" * (4 * MIB))
    with loopdev.device(file) as device:
        mounts = worker.Mounts(tmp_path, block=device)
        order = worker.order(f"{server.origin}/disk")
        process = worker.start(order, mounts)
        server.wait_served(4 * MIB)
        process.kill()
        worker.ended(process, mounts)
        assert [path.name for path in mounts.state.iterdir()] == [f"{device.name}.cdi-journal"]
        server.put("/disk", httpd.Blob(body))
        ended = worker.run(order, mounts)
        assert ended.termination.bytes_fetched is not None
        assert ended.termination.bytes_fetched < len(body)
        assert device.read_bytes() == grown(folder / "disk.raw", file.stat().st_size)
    assert list(mounts.state.iterdir()) == []


def unheard(order: WorkOrder, mounts: worker.Mounts) -> None:
    """Have a worker fill the volume whose last message is lost."""
    (mounts.folder / "a-file").touch()
    nowhere = str(mounts.folder / "a-file" / "log")
    assert worker.run(order, mounts, CDI_TERMINATION_LOG=nowhere).status == 1


def test_a_finished_disk_stays_when_its_container_is_started_again(
    server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    """Also where the source is gone by then: a link may work but once."""
    body = (folder / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body))
    digest = hashlib.sha256(body).hexdigest()
    order = worker.order(f"{server.origin}/disk", checksum=f"sha256:{digest}")
    unheard(order, mounts)
    before = mounts.disk.stat()
    server.put("/disk", httpd.Blob(body, twist=httpd.status(403)))
    ended = worker.run(order, mounts)

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert ended.termination.sha256 == digest
    assert mounts.disk.stat().st_ino == before.st_ino
    assert mounts.disk.stat().st_mtime_ns == before.st_mtime_ns
    assert left_in(mounts.data) == ["disk.img"]


@pytest.mark.parametrize("change", ["claim", "disk", "content"])
def test_a_finished_disk_of_another_claim_or_with_other_content_is_made_anew(
    change: str, server: httpd.Server, mounts: worker.Mounts, folder: Path
) -> None:
    order = worker.order(f"{server.origin}/disk.raw")
    unheard(order, mounts)
    if change == "claim":
        order = replace(order, owner_uid="uid-2")
    elif change == "disk":
        mounts.disk.rename(mounts.data / "old")
        (mounts.data / "old").unlink()
        mounts.disk.write_bytes(bytes(32 * MIB))
    else:
        with mounts.disk.open("r+b") as disk:
            disk.write(bytes(24 * MIB))
    served = server.served
    ended = worker.run(order, mounts)

    assert ended.status == 0
    assert server.served > served
    assert mounts.disk.read_bytes() == grown(folder / "disk.raw", 32 * MIB)
    assert left_in(mounts.data) == ["disk.img"]


@loopdev.needs_root
@pytest.mark.root
def test_a_finished_device_stays_when_its_container_is_started_again(
    server: httpd.Server, tmp_path: Path, folder: Path
) -> None:
    body = (folder / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body))
    (tmp_path / "volume").write_bytes(bytes(32 * MIB))
    with loopdev.device(tmp_path / "volume") as device:
        mounts = worker.Mounts(tmp_path, block=device)
        unheard(worker.order(f"{server.origin}/disk"), mounts)
        server.put("/disk", httpd.Blob(body, twist=httpd.status(403)))
        assert worker.run(worker.order(f"{server.origin}/disk"), mounts).status == 0
        assert device.read_bytes() == grown(folder / "disk.raw", 32 * MIB)
    assert list(mounts.state.iterdir()) == []
