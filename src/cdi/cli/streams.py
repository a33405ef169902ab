"""Standard input, output and error as a command may rely on them."""

from __future__ import annotations

import os
import sys
from typing import Final

_NAMES: Final = ("stdin", "stdout", "stderr")


def ensure_standard() -> None:
    """Open those that whoever started us has closed, and let names of any bytes be printed.

    Without, a disk could be opened as number 1, and get what a child prints.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < len(_NAMES):
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - a number, open until the end
    for stream in (sys.stdout, sys.stderr):
        unicode = getattr(stream, "encoding", "").lower().replace("-", "") == "utf8"
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def discard_output() -> None:
    """Let what is still to be written vanish, after a write that failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
