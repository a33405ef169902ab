"""Whether volumes compete with the operating system for room."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def shares_disk(pools: Iterable[Path], system: Path) -> bool:
    """Whether any pool is on the file system that `system`, a directory of the node's, is on.

    A pool that is gone shares nothing. Blocking.
    """
    device = system.stat().st_dev
    return any(_device_of(each) == device for each in pools)


def _device_of(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None
