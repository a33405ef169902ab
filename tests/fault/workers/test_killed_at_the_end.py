"""A worker is killed around the moment at which its volume is filled: nothing is fetched again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import disks, httpd, tars, worker

MIB = 1 << 20
FILES = tars.archive(tars.member("file", b"content" * 1000))

# Audit events come before what they tell of: the first one after a rename shows that it is done.
AT_THE_END = """
import os, runpy, signal, sys
place, when = sys.argv.pop(1), sys.argv.pop(1)
seen = []

def look(event, args):
    if event == "os.kill":
        return
    if seen or (event == "os.rename" and os.fspath(args[1]) == place and when == "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "os.rename" and os.fspath(args[1]) == place:
        seen.append(event)

sys.addaudithook(look)
runpy.run_module("cdi.workers.importer", run_name="__main__")
"""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return disks.raw_disk(tmp_path / "source.raw", 8 * MIB, 4 * MIB)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as found:
        yield found


def killed(order: worker.WorkOrder, mounts: worker.Mounts, place: Path, when: str) -> None:
    """Start a worker that is killed as something is renamed to `place`: before it, or after it."""
    env = order.to_env() | mounts.env | {"PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", AT_THE_END, str(place), when]
    ended = subprocess.run(command, env=env, check=False, capture_output=True)
    assert ended.returncode == -9, ended.stderr.decode()
    assert not mounts.termination.exists()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["raw", "vdi"])
def test_a_disk_that_is_there_is_said_to_be_there(
    kind: str, when: str, raw: Path, server: httpd.Server, tmp_path: Path
) -> None:
    image = raw if kind == "raw" else disks.convert(raw, kind)
    url = server.put("/disk", httpd.Blob(image.read_bytes()))
    (tmp_path / "pod").mkdir()
    mounts = worker.Mounts(tmp_path / "pod")
    mounts.scratch.mkdir()
    order = worker.order(url, size="8Mi")
    killed(order, mounts, mounts.disk, when)
    assert mounts.disk.exists() == (when == "after")
    if when == "after":
        server.put("/disk", httpd.Blob(b"", twist=httpd.status(404)))

    ended = worker.run(order, mounts)

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert mounts.disk.read_bytes() == raw.read_bytes()
    assert [path.name for path in mounts.data.iterdir()] == ["disk.img"]


def test_an_archive_that_is_unpacked_is_said_to_be_there(
    server: httpd.Server, tmp_path: Path
) -> None:
    url = server.put("/a.tar", httpd.Blob(FILES))
    (tmp_path / "pod").mkdir()
    mounts = worker.Mounts(tmp_path / "pod")
    order = worker.order(url, content_type="archive")
    killed(order, mounts, mounts.data / ".cdi-complete", "after")
    server.put("/a.tar", httpd.Blob(b"", twist=httpd.status(404)))

    ended = worker.run(order, mounts)

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert [path.name for path in mounts.data.iterdir()] == ["file"]
