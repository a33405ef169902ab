"""A cgroup that limits memory, of version 2 or 1, for tests that run as root."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")
# where groups are made, and the file of each that holds the limit
_WAYS = ((_ROOT, "memory.max"), (_ROOT / "memory", "memory.limit_in_bytes"))


@contextlib.contextmanager
def limited(memory: int) -> Iterator[list[str]]:
    """Yield words to put before a command, which then has `memory` bytes, page cache included."""
    for root, limit in _WAYS:
        group = root / f"cdi-test-{uuid.uuid4().hex[:8]}"
        if not (root / "cgroup.procs").exists():
            continue
        with contextlib.suppress(OSError):
            group.mkdir()
            with (group / limit).open("r+") as file:
                file.write(str(memory))
            break
        with contextlib.suppress(OSError):
            group.rmdir()
    else:
        pytest.skip("no cgroup can limit memory here")
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "limited"]
    finally:
        group.rmdir()
