"""A disk of oVirt with snapshots in a chain, made by qemu as a host makes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support import ovirt

# What a guest did between two snapshots: data, zeros that replace data, discards.
CHANGES = {
    "s2": ["write -P 1 100k 700k", "write -z 5M 2M", "write -P 2 20M 64k"],
    "s3": ["write -P 3 200k 64k", "write -P 4 6M 1M", "write -z -u 0 64k"],
}
# The import of each stage; the last one reads the active image, which is no snapshot.
STAGES = [
    {"current": "s1", "previous": ""},
    {"current": "s2", "previous": "s1"},
    {"current": "s3", "previous": "s2"},
]


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def chain(first: Path, folder: Path) -> tuple[ovirt.Disk, Path]:
    """Return a disk that begins as the raw disk `first`, and a raw file of what it holds now."""
    folder.mkdir()
    shutil.copy(first, folder / "s1")
    below, kind = folder / "s1", "raw"
    for name, commands in CHANGES.items():
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", below, folder / name)
        words = [word for each in commands for word in ("-c", each)]
        run("qemu-io", "-f", "qcow2", *words, folder / name)
        below, kind = folder / name, "qcow2"
    disk = ovirt.Disk(folder / "s3", "qcow2", image_id="s3")
    disk.snapshots = {
        "s1": ovirt.Image(folder / "s1", "raw", "domain-1"),
        "s2": ovirt.Image(folder / "s2"),
    }
    run("qemu-img", "convert", "-O", "raw", folder / "s3", folder / "end")
    return disk, folder / "end"
