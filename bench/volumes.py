"""
Measure `cdi hostpath driver`: `python -m bench.volumes`, as root, or `report` from elsewhere.

    shared    snapshot and clone of a sparse disk on a loop-mounted xfs, by reflink
    copied    the same clone on ext4, which cannot share, against `cp --sparse=always`
    many      volumes made and removed by many callers at once, and the driver's memory

Every call goes over the driver's socket. Sizes are in bytes and times in seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc

from bench import contenders, table, tools
from bench.controlplane import Row
from cdi.hostpath.csi import wire
from cdi.hostpath.csi.messages import plugin_calls, snapshot_calls, values, volume_calls

MIB: Final = 1 << 20
GIB: Final = 1 << 30
SIZE: Final = 10 * GIB  # of the sparse disk
DATA: Final = 512 * MIB  # of it
MANY: Final = 200

# The budgets of the project.
SHARED_WITHIN: Final = 0.2
SPEED_AT_LEAST: Final = 0.9  # of cp's
MEMORY_AT_MOST: Final = 100 * MIB

_WORK: Final = Path(__file__).resolve().parents[1] / "run"
_ROUNDS: Final = 3
_PATIENCE: Final = 300.0
_BLOCK = values.VolumeCapability(
    block=values.BlockVolume(),
    access_mode=values.AccessMode(values.AccessModeKind.SINGLE_NODE_WRITER),
)
_MOUNT = values.VolumeCapability(
    mount=values.MountVolume(),
    access_mode=values.AccessMode(values.AccessModeKind.SINGLE_NODE_WRITER),
)


class Driver:
    """A driver over one pool, and what it is asked."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.root, self._socket = root / "csi", folder / "csi.sock"
        pools = json.dumps([{"name": "legacy", "path": str(self.root)}])
        words = [
            *contenders.cdi(), "hostpath", "driver", "--endpoint", f"unix://{self._socket}",
            "--nodeid", "bench", "--datadir", pools, "-v", "0",
        ]  # fmt: skip
        self._process = subprocess.Popen(words)
        self._channel = grpc.insecure_channel(f"unix:{self._socket}")
        self.call("Identity/Probe", plugin_calls.ProbeRequest())

    def close(self) -> None:
        self._channel.close()
        self._process.terminate()
        self._process.wait(timeout=_PATIENCE)

    def call(self, method: str, request: wire.Message) -> bytes:
        answer: bytes = self._channel.unary_unary(f"/csi.v1.{method}")(
            wire.encode(request), timeout=_PATIENCE, wait_for_ready=True
        )
        return answer

    def create(
        self,
        name: str,
        size: int = MIB,
        capability: values.VolumeCapability = _MOUNT,
        source: values.VolumeContentSource | None = None,
    ) -> None:
        """Make a volume, and come back for one that takes its time."""
        request = volume_calls.CreateVolumeRequest(
            name, values.CapacityRange(size), [capability], {}, source
        )
        while True:
            try:
                self.call("Controller/CreateVolume", request)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.ABORTED:
                    raise
            else:
                return

    def take(self, name: str) -> None:
        """Take a snapshot of the source."""
        request = snapshot_calls.CreateSnapshotRequest("pvc-source", name)
        answer = wire.decode(
            snapshot_calls.CreateSnapshotResponse, self.call("Controller/CreateSnapshot", request)
        )
        if answer.snapshot is None or not answer.snapshot.ready_to_use:
            raise tools.ToolFailed(f"snapshot {name} takes its time")

    def clone(self, name: str) -> None:
        """Clone the source."""
        source = values.VolumeContentSource(volume=values.VolumeSource("pvc-source"))
        self.create(name, SIZE, _BLOCK, source)

    def delete(self, name: str) -> None:
        self.call("Controller/DeleteVolume", volume_calls.DeleteVolumeRequest(name))

    def memory(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) << 10


def report(work_dir: Path) -> list[str]:
    """Measure everything in a new directory below `work_dir`; return the lines to print."""
    folder = Path(tempfile.mkdtemp(prefix="volumes-", dir=work_dir))
    try:
        found = [*_shared(folder), *_copied(folder), *_many(folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shown = (
        (row.what, row.value, row.budget, {None: "", True: "kept", False: "MISSED"}[row.kept])
        for row in found
    )
    return table.table(["volumes", "measured", "budget", ""], shown).splitlines()


def _shared(folder: Path) -> Iterator[Row]:
    xfs = _mounted(folder, "xfs", ("mkfs.xfs", "-q", "-f"))
    with xfs as root, _driver(folder, root) as driver:
        _disk(driver, "pvc-source")
        snapshots = [_timed(driver.take, f"snap-{number}") for number in range(_ROUNDS)]
        clones = [_timed(driver.clone, f"pvc-{number}") for number in range(_ROUNDS)]
    for what, times in (("snapshot", snapshots), ("clone", clones)):
        middle = statistics.median(times)
        yield Row(
            f"{what} of a sparse disk of {SIZE // GIB} GiB on xfs",
            f"{middle * 1000:.0f} ms",
            f"{SHARED_WITHIN * 1000:.0f} ms",
            middle <= SHARED_WITHIN,
        )


def _copied(folder: Path) -> Iterator[Row]:
    ext4 = _mounted(folder, "ext4", ("mkfs.ext4", "-q", "-F"))
    ours, theirs = [], []
    with ext4 as root, _driver(folder, root) as driver:
        _disk(driver, "pvc-source")
        disk = driver.root / "pvc-source" / "disk.img"
        for number in range(_ROUNDS):
            ours.append(_timed(driver.clone, f"pvc-{number}"))
            driver.delete(f"pvc-{number}")
            theirs.append(_timed(_plain_copy, disk, root / "copy"))
            (root / "copy").unlink()
    ratio = statistics.median(theirs) / statistics.median(ours)
    yield Row(
        f"clone of {DATA // MIB} MiB on ext4, speed against cp --sparse=always",
        f"{ratio:.2f} x",
        f"{SPEED_AT_LEAST} x",
        ratio >= SPEED_AT_LEAST,
    )


def _many(folder: Path) -> Iterator[Row]:
    root = folder / "many"
    root.mkdir()
    names = [f"pvc-{number}" for number in range(MANY)]
    with _driver(folder, root) as driver, ThreadPoolExecutor(32) as callers:
        made = _timed(list, callers.map(driver.create, names))
        there = len([each for each in driver.root.iterdir() if each.name.startswith("pvc-")])
        removed = _timed(list, callers.map(driver.delete, names))
        left = [each for each in driver.root.iterdir() if not each.name.startswith(".")]
        memory = driver.memory()
    yield Row(
        f"{MANY} volumes, made and removed by 32 callers",
        f"{made:.1f} s + {removed:.1f} s, {MANY - there} lost, {len(left)} left over",
        "none lost, none left over",
        there == MANY and not left,
    )
    yield Row(
        "memory of the driver at most",
        f"{memory / MIB:.0f} MiB",
        f"{MEMORY_AT_MOST // MIB} MiB",
        memory <= MEMORY_AT_MOST,
    )


def _disk(driver: Driver, name: str) -> None:
    """A Block volume whose data is in pieces all over it."""
    driver.create(name, SIZE, _BLOCK)
    piece = os.urandom(4 * MIB)
    count = DATA // len(piece)
    with (driver.root / name / "disk.img").open("r+b") as file:
        for number in range(count):
            file.seek(number * (SIZE // count))
            file.write(piece)
        os.fsync(file.fileno())


def _plain_copy(source: Path, target: Path) -> None:
    """What people would do, durable as a volume is."""
    tools.run(["cp", "--sparse=always", "--reflink=never", source, target])
    tools.run(["sync", target])


def _timed(work: Callable[..., object], *words: object) -> float:
    began = time.monotonic()
    work(*words)
    return time.monotonic() - began


@contextlib.contextmanager
def _driver(folder: Path, root: Path) -> Iterator[Driver]:
    driver = Driver(folder, root)
    try:
        yield driver
    finally:
        driver.close()


@contextlib.contextmanager
def _mounted(folder: Path, kind: str, make: tuple[str, ...]) -> Iterator[Path]:
    image, place = folder / f"{kind}.image", folder / kind
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE + 4 * GIB)
    tools.run([*make, image])
    tools.run(["mount", "-o", "loop", image, place])
    try:
        yield place
    finally:
        tools.run(["umount", place])
        image.unlink()


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if os.geteuid() != 0:
        print("bench: file systems are mounted by root only", file=sys.stderr)
        return 1
    _WORK.mkdir(exist_ok=True)
    print("\n".join(report(_WORK)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
