"""
Programs of the system, which mount, attach and format. Blocking; seconds.

Raises OSError with what the program said, and with ETIMEDOUT for one that did not end in time and
was killed.
"""

from __future__ import annotations

import errno
import subprocess


def run(*command: str, patience: float) -> str:
    """Run a program to its end; return what it printed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired as error:
        late = f"{command[0]} did not end within {patience:.0f} s"
        raise OSError(errno.ETIMEDOUT, late) from error
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout
