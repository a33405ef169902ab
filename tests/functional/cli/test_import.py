"""`cdi import` as its user meets it: exit status, reason, and what is left behind."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import disks, httpd, importing, loopdev

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>" + b" " * 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    disk = disks.raw_disk(folder / "disk.raw")
    disks.compress(disks.convert(disk, "qcow2"), "xz")
    disks.compress(disk, "gz")
    disks.convert(disk, "vmdk")
    canary = folder / "canary"
    canary.write_bytes(b"SECRET" * 10_000)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", canary, "-F", "raw", folder / "backed"],
        check=True,
    )
    return folder


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


FAILURES = [
    pytest.param("missing", (), 3, "SourceNotFound", "404", id="404"),
    pytest.param("forbidden", (), 3, "AccessDenied", "403", id="403"),
    pytest.param("disk", ("--checksum", "md5:" + "0" * 32), 3, "ChecksumError", "want", id="sum"),
    pytest.param("disk", ("--size", "1Mi"), 3, "TargetTooSmall", "larger", id="too-small"),
    pytest.param("backed", (), 3, "UnsafeImage", "backing file", id="backing-file"),
    pytest.param("page", (), 3, "NotADisk", "web page", id="web-page"),
    pytest.param("json", (), 3, "NotADisk", "JSON", id="json"),
    pytest.param("empty", (), 3, "NotADisk", "empty", id="empty"),
    pytest.param("zip", (), 3, "UnsupportedFormat", "zip", id="zip"),
]


@pytest.mark.parametrize(("name", "options", "status", "reason", "words"), FAILURES)
def test_a_failure_has_its_reason_and_touches_nothing(
    name, options, status, reason, words, folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    bodies = {
        "disk": (folder / "disk.qcow2").read_bytes(),
        "backed": (folder / "backed").read_bytes(),
        "page": PAGE,
        "json": json.dumps({"error": "no such image", "code": 1234}).encode(),
        "empty": b"",
        "zip": b"PK\x03\x04" + bytes(5000),
    }
    if name == "missing":
        url = server.put("/missing", lambda _: httpd.Reply(404))
    elif name == "forbidden":
        url = server.put("/forbidden", lambda _: httpd.Reply(403))
    else:
        url = server.put("/" + name, httpd.Blob(bodies[name]))
    output = tmp_path / "disk.img"
    output.write_bytes(b"what was here before")
    seen = importing.run(url, output, *options)
    assert (seen.status, seen.last["reason"]) == (status, reason), seen.output + seen.errors
    assert words.lower() in seen.last["message"].lower()
    assert output.read_bytes() == b"what was here before"
    assert importing.leftovers(output) == []


def test_a_refused_connection_is_worth_another_run(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_port()}/disk"
    seen = importing.run(url, tmp_path / "disk.img")
    assert (seen.status, seen.last["reason"]) == (1, "SourceUnavailable")
    assert seen.last["permanent"] is False


@loopdev.needs_root
@pytest.mark.root
def test_a_full_disk_says_so_and_is_continued_when_there_is_room(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    url = server.put("/disk", httpd.Blob((folder / "disk.qcow2").read_bytes()))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", small], check=True)
    try:
        full = importing.run(url, small / "disk.img")
        assert (full.status, full.last["reason"]) == (1, "NoSpace"), full.output + full.errors
        before = server.served
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        again = importing.run(url, small / "disk.img")
        assert again.status == 0
        assert again.last["resumed"] is True
        assert server.served - before < 12 << 20
        assert disks.differs(folder / "disk.raw", small / "disk.img") == ""
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("--size", "big"), "--size", id="no-quantity"),
        pytest.param(("--size", "-1Gi"), "--size", id="negative"),
        pytest.param(("--checksum", "md5:12"), "--checksum", id="short-digest"),
        pytest.param(("--user", "me"), "--password-file", id="no-password"),
        pytest.param(("--block",), "not a block device", id="no-device"),
        pytest.param(("--connections", "0"), "connections", id="no-connections"),
    ],
)
def test_nonsense_on_the_command_line_is_usage(options, words, tmp_path: Path) -> None:
    seen = importing.run("http://127.0.0.1:9/disk", tmp_path / "disk.img", *options)
    assert seen.status == 2
    assert words in seen.errors


def test_an_unknown_scheme_is_named(tmp_path: Path) -> None:
    seen = importing.run("ftp://me:secret@host/disk", tmp_path / "disk.img")
    assert (seen.status, seen.last["reason"]) == (3, "InvalidRequest")
    assert "ftp" in seen.last["message"]
    assert "secret" not in seen.output + seen.errors


def test_a_password_comes_from_a_file_and_is_never_shown(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("canary-password\n")

    def guarded(request: httpd.Request) -> httpd.Reply:
        if request.header("authorization") != "Basic bWU6Y2FuYXJ5LXBhc3N3b3Jk":
            return httpd.Reply(401)
        return httpd.Blob((folder / "disk.qcow2").read_bytes())(request)

    url = server.put("/disk", guarded)
    seen = importing.run(
        url, tmp_path / "disk.img", "--user", "me", "--password-file", str(tmp_path / "password")
    )
    assert seen.status == 0
    assert "canary-password" not in seen.output + seen.errors


def test_a_source_that_changed_meanwhile_starts_anew_once(
    folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    new = (folder / "disk.qcow2").read_bytes()
    old = new[: len(new) // 2] + b"\xff" * (len(new) - len(new) // 2)
    blob = httpd.Blob(old)
    requests = itertools.count()

    def changing(request: httpd.Request) -> httpd.Reply:
        if next(requests) == 6:
            blob.body, blob.etag = new, '"v2"'
        return blob(request)

    seen = importing.run(server.put("/disk", changing), tmp_path / "disk.img")
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(folder / "disk.raw", tmp_path / "disk.img") == ""


@loopdev.needs_root
@pytest.mark.root
@pytest.mark.parametrize("layout", ["raw", "qcow2", "raw.gz", "qcow2.xz", "vmdk"])
def test_a_block_device_becomes_the_disk(
    layout: str, folder: Path, server: httpd.Server, tmp_path: Path
) -> None:
    url = server.put("/disk", httpd.Blob((folder / f"disk.{layout}").read_bytes()))
    backing = tmp_path / "device"
    backing.write_bytes(b"\xaa" * (25 << 20))
    with loopdev.device(backing) as device:
        refused = importing.run(url, device)
        places = {"XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        seen = importing.run(url, device, "--block", "--sha256", **places)
        assert (refused.status, seen.status) == (2, 0), refused.errors + seen.errors
        want = (folder / "disk.raw").read_bytes()
        assert device.read_bytes() == want + bytes((25 << 20) - len(want))
    assert list((tmp_path / "cdi").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cdi", "device"]
    served = hashlib.sha256((folder / f"disk.{layout}").read_bytes()).hexdigest()
    assert seen.last["digest"] == f"sha256:{served}"


def test_plain_lines_end_with_what_was_done(folder: Path, tmp_path: Path) -> None:
    seen = subprocess.run(
        [sys.executable, "-m", "cdi", "import", folder / "disk.qcow2", "-o", tmp_path / "a.img"],
        capture_output=True,
        text=True,
    )
    assert seen.returncode == 0
    assert seen.stderr.startswith("cdi import: Completed: qcow2 disk of 24.0 MiB")


# Root may read and write everything, unless it gives that up.
WITHOUT_POWER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.mark.parametrize(
    ("output", "options", "words"),
    [
        pytest.param("-", (), "not to standard output", id="standard-output"),
        pytest.param("", (), "empty name", id="empty"),
        pytest.param("directory", (), "is not a file", id="directory"),
        pytest.param("nowhere/disk", (), "no such directory", id="no-parent"),
        pytest.param("file/disk", (), "no such directory", id="parent-is-a-file"),
        pytest.param("l" * 300, (), "too long", id="long-name"),
        pytest.param("l" * 240, (), "too long", id="no-room-for-the-partial-name"),
        pytest.param("closed/disk", (), "Permission denied", id="closed-parent"),
        pytest.param("closed/deep/disk", (), "Permission denied", id="closed-above"),
        pytest.param("closed/disk", ("--archive",), "Permission denied", id="closed-archive"),
        pytest.param("readonly/dir", ("--archive",), "Permission denied", id="readonly-archive"),
        pytest.param("disk", ("--header", "nonsense"), "NAME: VALUE", id="header"),
        pytest.param("disk", ("--header", "a b: c"), "NAME: VALUE", id="header-name"),
        pytest.param("disk", ("--ca-cert", "nowhere"), "does not exist", id="no-ca"),
        pytest.param("disk", ("--ca-cert", "unreadable"), "not readable", id="unreadable-ca"),
        pytest.param(
            "disk", ("--user", "u", "--password-file", "directory"), "directory", id="password"
        ),
    ],
)
def test_a_place_that_cannot_be_used_is_usage_and_left_alone(
    output: str, options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    for name, mode in (("directory", 0o755), ("closed", 0o000), ("readonly", 0o500)):
        (tmp_path / name).mkdir(mode=mode)
    for name, mode in (("file", 0o644), ("unreadable", 0o000), ("source", 0o644)):
        (tmp_path / name).write_bytes(b"x" * 4096)
        (tmp_path / name).chmod(mode)
    before = sorted(tmp_path.iterdir())
    command = (sys.executable, "-m", "cdi", "import", "source", "-o", output, *options)
    done = subprocess.run(
        [*(WITHOUT_POWER if os.geteuid() == 0 else ()), *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before
