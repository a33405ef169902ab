"""The driver, killed at any moment: whole volumes or none, and it goes on where it was."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support import loopdev
from support.csi import BLOCK, MOUNT, Refused
from support.csidriver import Driver

MIB = 1 << 20
pytestmark = loopdev.needs_root

# For every call of the kernel that changes a directory: a process that ends before it as if it was
# killed, and a second one that does the same again. Prints what is wrong afterwards.
DYING = """
import asyncio, json, os, sys, pathlib
from cdi.hostpath.keeper import Keeper
from cdi.hostpath.pools import *

def counted(call):
    def do(*words, **named):
        global left
        left -= 1
        if left < 0: os._exit(137)
        return call(*words, **named)
    return do

async def work(place, steps):
    kept = Keeper([HostPool(PoolSettings(name="local", path=str(place)))])
    await kept.start()
    for what, name, *rest in steps:
        if what == "erase":
            await kept.erase(name)
        elif what == "take":
            await kept.take(name, *rest)
        else:
            content = Content(Kind.VOLUME, rest[0]) if what == "clone" else None
            await kept.create(Wanted(name, "local", Mode(mode), 1 << 20, content=content))

def run(place, steps, calls):
    global left
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        left = calls
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "open", "link"):
            setattr(os, name, counted(getattr(os, name)))
        asyncio.run(work(place, steps))
        os.write(writing, str(calls - left).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    made = os.read(reading, 20)
    os.close(reading)
    assert status in (0, 137 << 8), status
    return int(made or -1)

home, mode, (before, last, wanted) = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
first = run(home / "before", before, 10_000)
total = run(home / "all", [*before, last], 10_000)
for calls in range(first, total):
    place = home / str(calls)
    assert run(place, [*before, last], calls) == -1
    run(place, [last], 10_000)
    found = sorted(each.name for each in place.iterdir() if each.name[0] != ".")
    half = [each.name for each in place.iterdir() if each.name.startswith((".new", ".erased"))]
    if found != wanted or half:
        print(calls, found, half)
print("points", total - first)
"""


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
@pytest.mark.parametrize(
    ("before", "last", "wanted"),
    [
        ([], ["make", "pvc-1"], ["pvc-1"]),
        ([["make", "pvc-1"]], ["clone", "pvc-2", "pvc-1"], ["pvc-1", "pvc-2"]),
        ([["make", "pvc-1"]], ["take", "snap", "pvc-1"], ["pvc-1"]),
        ([["make", "pvc-1"]], ["erase", "pvc-1"], []),
    ],
    ids=["make", "clone", "take", "erase"],
)
def test_whatever_is_cut_short_is_whole_or_gone(
    tmp_path: Path, before: list[list[str]], last: list[str], wanted: list[str], mode: str
) -> None:
    words = [str(tmp_path), mode, json.dumps([before, last, wanted])]
    done = subprocess.run([sys.executable, "-c", DYING, *words], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    *wrong, points = done.stdout.splitlines()
    assert wrong == []
    assert int(points.split()[1]) > 5


def test_devices_and_mounts_outlive_the_driver(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with Driver(tmp_path) as driver:
        driver.client.create("pvc-1", capability=BLOCK)
        driver.client.create("pvc-2")
        driver.client.publish("pvc-1", target, BLOCK)
        driver.client.publish("pvc-2", tmp_path / "folder")
        driver.kill()
        target.write_bytes(b"written meanwhile")
        driver.start()
        driver.client.publish("pvc-1", target, BLOCK)
        driver.client.publish("pvc-2", tmp_path / "folder")
        found = target.open("rb").read(17)
        driver.client.unpublish("pvc-1", target)
        driver.client.unpublish("pvc-2", tmp_path / "folder")
        names = driver.client.volumes()

    assert found == b"written meanwhile"
    assert names == ["pvc-1", "pvc-2"]


def test_a_device_is_there_again_after_the_machine_was_restarted(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with Driver(tmp_path) as driver:
        driver.client.create("pvc-1", capability=BLOCK)
        driver.client.publish("pvc-1", target, BLOCK)
        target.write_bytes(b"before")
        driver.kill()
        # What a restart takes away: mounts and loop devices.
        subprocess.run(["umount", target], check=True)
        disk = driver.roots["local"] / "pvc-1" / "disk.img"
        there = subprocess.run(["losetup", "-j", disk], capture_output=True, text=True, check=True)
        subprocess.run(["losetup", "-d", there.stdout.partition(":")[0]], check=True)
        driver.start()
        driver.client.publish("pvc-1", target, BLOCK)
        found = target.open("rb").read(6)
        driver.client.unpublish("pvc-1", target)

    assert found == b"before"


def test_a_driver_that_is_killed_under_load_loses_nothing(tmp_path: Path) -> None:
    names = [f"pvc-{number}" for number in range(40)]
    with Driver(tmp_path) as driver:
        killer = threading.Timer(0.05, driver.kill)
        killer.start()
        acknowledged = []
        with contextlib.suppress(Refused):
            for name in names:
                driver.client.create(name, timeout=5)
                acknowledged.append(name)
        killer.join()
        driver.start()
        kept = driver.client.volumes()
        for name in names:
            driver.client.create(name, capability=MOUNT)
        whole = driver.client.volumes()

    assert set(acknowledged) <= set(kept)
    assert whole == sorted(names)
