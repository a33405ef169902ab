"""
The two servers beside an importer of a node pull: the script, in a root directory that holds
nothing but busybox, itself and the disk; and the worker that stands in for it on one machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cdi.workers
from support import worker

SCRIPT = Path(cdi.workers.__file__).with_name("containerimage-server")
BUSYBOX = shutil.which("busybox")

# Runs in name spaces of its own: what it mounts goes with it.
_ENTER = """
mount -t proc proc "$1/proc" && touch "$1/dev/null" && mount --bind /dev/null "$1/dev/null" \
  && shift && exec chroot "$@"
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Root:
    """An image unpacked: `disk` and `shared` are directories in it."""

    def __init__(self, folder: Path) -> None:
        assert BUSYBOX is not None
        self.path = folder
        self.disk, self.shared = folder / "disk", folder / "shared"
        for place in (self.disk, self.shared, folder / "proc", folder / "dev"):
            place.mkdir(parents=True)
        shutil.copy(BUSYBOX, self.shared / "busybox")
        shutil.copy(SCRIPT, self.shared / "server")

    def serve(self, port: int, **env: str) -> subprocess.Popen[str]:
        """Start the script as a container runtime does."""
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "enter",
             self.path, self.path, "/shared/server", *_told(port)],
            stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"} | env,
        )  # fmt: skip


def stand_in(image: str, mounts: worker.Mounts, port: int) -> subprocess.Popen[str]:
    """Start the worker that does the same for an image in a registry."""
    return subprocess.Popen(
        [sys.executable, "-m", "cdi.workers.imageserver", "-image", image, *_told(port)],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]} | mounts.env,
    )


def _told(port: int) -> list[str]:
    return ["-p", str(port), "-image-dir", "/disk",
            "-ready-file", "/shared/ready", "-done-file", "/shared/done"]  # fmt: skip


@contextmanager
def ended(server: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Make an end of a server that still runs after the block."""
    try:
        yield server
    finally:
        server.terminate()
        server.communicate(timeout=20)
