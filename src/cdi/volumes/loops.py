"""
Loop devices: a file that the machine shows as a block device. Needs root, and util-linux.

Blocking calls of a few milliseconds. Raises OSError, with what losetup said.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

_PATIENCE: Final = 30.0  # seconds; the kernel answers at once or is in trouble


def usable() -> bool:
    """Whether this process may make loop devices at all."""
    return os.geteuid() == 0 and shutil.which("losetup") is not None


def attach(file: Path) -> Path:
    """Return the device over `file`; the one that exists, if one does."""
    existing = attached(file)
    if existing:
        return existing[0]
    return Path(_losetup("--find", "--show", str(file)).strip())


def detach(file: Path) -> None:
    """Take away all devices over `file`; one that is in use goes when it is closed."""
    for device in attached(file):
        _losetup("--detach", str(device))


def refresh(file: Path) -> None:
    """Tell the devices over `file` that it has grown."""
    for device in attached(file):
        _losetup("--set-capacity", str(device))


def flush(file: Path) -> None:
    """Bring what was written to the devices over `file`, and is only in memory, into the file."""
    for device in attached(file):
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def attached(file: Path) -> list[Path]:
    """Return the devices over `file`."""
    found = _losetup("--json", "--list", "--output", "NAME", "--associated", str(file))
    entries = json.loads(found).get("loopdevices", []) if found.strip() else []
    return [Path(entry["name"]) for entry in entries]


def _losetup(*arguments: str) -> str:
    done = subprocess.run(
        ["losetup", *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    if done.returncode != 0:
        raise OSError(f"losetup {arguments[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout
