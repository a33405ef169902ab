"""
Canaries: secrets of every kind, on the way of whole imports as processes.

They reach the origin they are meant for; no log, message, journal or child process has them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support import disks, httpd, importing, worker

CANARIES = ("canary-password", "canary-plain", "canary-secret", "canary-userinfo", "canary-query")
SPY = '#!/bin/sh\necho "spied: $* $(env)" >&2\nexit 1\n'


@pytest.fixture(scope="module")
def vmdk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    raw = disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw", 4 << 20, 1 << 20)
    return disks.convert(raw, "vdi").read_bytes()


@pytest.fixture
def spy(tmp_path: Path) -> str:
    """A PATH on which qemu-img only tells what it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "qemu-img").write_text(SPY)
    (folder / "qemu-img").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def by_command(url: str, folder: Path, **environment: str) -> tuple[bool, str]:
    """What `cdi import` tells, and whether it is content."""
    (folder / "password").write_text("canary-password\n")
    seen = importing.run(
        url.replace("http://", "http://someone:canary-userinfo@"),
        folder / "disk.img",
        *("--user", "me", "--password-file", str(folder / "password")),
        *("--header", "X-Plain: canary-plain"),
        **environment,
    )
    left = [path.read_text("latin-1") for path in folder.glob("*.cdi-journal")]
    return seen.status == 0, "".join([seen.output, seen.errors, *left])


def by_worker(url: str, folder: Path, **environment: str) -> tuple[bool, str]:
    """What an importer logs and says last, and whether it is content."""
    mounts = worker.Mounts(folder)
    mounts.scratch.mkdir()
    (mounts.headers / "token").write_text("X-Secret: canary-secret\n")
    order = worker.order(
        url.replace("http://", "http://someone:canary-userinfo@"),
        access_key_id="me",
        secret_key="canary-password",
        extra_headers=("X-Plain: canary-plain",),
    )
    ended = worker.run(order, mounts, **environment)
    left = [path.read_text("latin-1") for path in mounts.data.glob("*.cdi-journal")]
    return ended.status == 0, "".join([ended.log, mounts.termination.read_text(), *left])


Way = Callable[..., tuple[bool, str]]
ways = pytest.mark.parametrize("way", [by_command, by_worker])


def insist_on_silence(told: str) -> None:
    for canary in CANARIES:
        assert canary not in told


@ways
@pytest.mark.parametrize(
    ("twist", "well"),
    [
        pytest.param(None, True, id="well"),
        pytest.param(httpd.status(403), False, id="forbidden"),
        pytest.param(httpd.after(1, httpd.status(400)), False, id="refused-midway"),
        pytest.param(httpd.changed(raw=b"canary-password\r\n"), False, id="echoes"),
    ],
)
def test_no_secret_is_told(way: Way, twist, well, vmdk, tmp_path):
    with httpd.Server() as server:
        url = server.put("/disk", httpd.Blob(vmdk, twist=twist))
        content, told = way(f"{url}?signature=canary-query", tmp_path)
        seen = repr([request.headers for request in server.requests])
    assert content is well
    assert told
    insist_on_silence(told)
    assert "canary-plain" in seen, "the origin itself is told"


@ways
def test_no_child_process_is_given_a_secret(way: Way, vmdk, spy, tmp_path):
    with httpd.Server() as server:
        url = server.put("/disk", httpd.Blob(vmdk))
        content, told = way(f"{url}?signature=canary-query", tmp_path, PATH=spy)
    assert not content
    assert "spied: " in told
    assert "PATH=" in told
    insist_on_silence(told)


@ways
def test_no_other_origin_is_told(way: Way, vmdk, tmp_path):
    with httpd.Server() as server, httpd.Server() as mirror:
        there = mirror.put("/there", httpd.Blob(vmdk))
        url = server.put("/disk", httpd.redirect(there))
        content, told = way(f"{url}?signature=canary-query", tmp_path)
        seen = repr([request.headers for request in mirror.requests])
    assert content
    insist_on_silence(told)
    insist_on_silence(seen)
    assert "authorization" not in seen
