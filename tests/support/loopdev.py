"""Loop devices over files, for tests that run as root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")


@contextlib.contextmanager
def device(file: Path, *options: str) -> Iterator[Path]:
    """Attach `file` to a free loop device; detach it afterwards."""
    made = subprocess.run(
        ["losetup", "--find", "--show", *options, file], check=True, capture_output=True, text=True
    )
    path = Path(made.stdout.strip())
    try:
        yield path
    finally:
        subprocess.run(["losetup", "--detach", path], check=True)
