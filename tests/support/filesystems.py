"""Real file systems, and block devices that are slow or break, for tests that run as root."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support import loopdev

MIB = 1 << 20

# kind: what makes it, and how large its file has to be. "ext2" has neither extents nor fallocate,
# like many a network file system.
_MAKERS = {
    "ext2": (("mkfs.ext4", "-q", "-F", "-O", "^has_journal,^extent,^64bit"), 64),
    "ext4": (("mkfs.ext4", "-q", "-F"), 64),
    "xfs": (("mkfs.xfs", "-q", "-f"), 320),
    "btrfs": (("mkfs.btrfs", "-q", "-f"), 128),
}
KINDS = (*_MAKERS, "tmpfs")


@contextlib.contextmanager
def mounted(kind: str, folder: Path, mib: int | None = None) -> Iterator[Path]:
    """A new file system of a kind, mounted in `folder`."""
    place = folder / f"on-{kind}"
    place.mkdir()
    if kind == "tmpfs":
        with _mount("-t", "tmpfs", "-o", f"size={mib or 64}m", "tmpfs", str(place)):
            yield place
        return
    command, usual = _MAKERS[kind]
    image = folder / f"{kind}.image"
    with image.open("wb") as file:
        file.truncate((mib or usual) * MIB)
    subprocess.run([*command, image], check=True, stdout=subprocess.DEVNULL)
    with loopdev.device(image) as device, _mount(str(device), str(place)):
        yield place


@contextlib.contextmanager
def _mount(*words: str) -> Iterator[None]:
    subprocess.run(["mount", *words], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", words[-1]], check=True)


@contextlib.contextmanager
def spoilt(folder: Path, size: int, kind: str, *settings: str) -> Iterator[Path]:
    """A block device of `size` bytes in memory, behind a filter of nbdkit with its settings."""
    place = folder / "served"
    place.mkdir()
    file = place / "disk"
    served = ["nbdkit", f"--filter={kind}", "memory", str(size), *settings]
    process = subprocess.Popen(["nbdfuse", str(file), "[", *served, "]"])
    try:
        wait_mounted(place, process)
        with loopdev.device(file) as device:
            yield device
    finally:
        subprocess.run(["umount", "--lazy", place], check=False)
        process.wait(30)


def wait_mounted(place: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until something is mounted; the process that is to mount it has to be alive."""
    # The kernel tells of new mounts by an exceptional condition on the list of them.
    with Path("/proc/self/mounts").open("rb") as mounts:
        while not os.path.ismount(place):
            assert process.poll() is None, "whoever was to mount it ended early"
            select.select([], [], [mounts], 1.0)
            mounts.seek(0)
            mounts.read()
