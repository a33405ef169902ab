"""One record in a file of its own, as a journal has many: there as a whole and durably, or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cdi.images.target import sync_directory
from cdi.images.transfer import journalfile, resuming


def save(path: Path, value: dict[str, Any], *, durable: bool = True) -> None:
    """Put one record into a file of its own: all of it or nothing, and durably unless told not."""
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, journalfile.line_of(value))
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    if durable:
        sync_directory(path.parent)


def load(path: Path) -> dict[str, Any] | None:
    """Return the record in a file of its own, None if there is none to trust."""
    try:
        return resuming.parse(path.read_bytes().rstrip(b"\n"))
    except OSError:
        return None
