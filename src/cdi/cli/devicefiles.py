"""What an import to a block device keeps elsewhere, since there is no place beside a device."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import click

from cdi.cli import datadir


def scratch(device: Path) -> Path:
    """Where a temporary copy lies: there is room, and it is kept over a reboot."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp") / _name_for(device, ".cdi-scratch")  # noqa: S108 - opened with O_NOFOLLOW


def journal(device: Path) -> Path:
    """Where the journal lies: in the user's state directory."""
    state = datadir.state()
    if state is None:
        raise click.UsageError("this user has no home directory; name a place in XDG_STATE_HOME")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state / _name_for(device, ".cdi-journal")


def _name_for(device: Path, suffix: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", device.name)
    return f"{name}-{hashlib.sha256(bytes(device)).hexdigest()[:12]}{suffix}"
