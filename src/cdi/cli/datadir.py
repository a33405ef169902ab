"""Where things are kept unless somebody says otherwise; None for a user without a home."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path | None:
    """The user's home directory. A container's user may have none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def default() -> Path | None:
    """Where `cdi up` keeps everything."""
    return _below("XDG_DATA_HOME", ".local", "share")


def state() -> Path | None:
    """Where `cdi import` keeps what it has to know of block devices."""
    return _below("XDG_STATE_HOME", ".local", "state")


def _below(variable: str, *usual: str) -> Path | None:
    if base := os.environ.get(variable):
        return Path(base).absolute() / "cdi"
    found = home()
    return None if found is None else found.joinpath(*usual, "cdi")
