"""Where `cdi up` keeps everything unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def default() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base).absolute() / "cdi"
