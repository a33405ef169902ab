"""The plain tools: where they are found, in which environment they run, and their versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_VERSION = {
    "qemu-img": ["--version"],
    "nginx": ["-v"],
    "curl": ["--version"],
    "gzip": ["--version"],
    "xz": ["--version"],
    "zstd": ["--version"],
    "pigz": ["--version"],
}


class ToolFailed(Exception):
    """A plain tool ended with an error; the text says which and why."""


def environment() -> dict[str, str]:
    """Return the environment for every program: system tools on PATH, loopback without a proxy."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path += [folder for folder in _SBIN if folder not in path]
    local = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    return {**os.environ, **local, "PATH": os.pathsep.join(path), "LC_ALL": "C"}


def have(program: str) -> bool:
    """Whether `program` is installed."""
    return shutil.which(program, path=environment()["PATH"]) is not None


def run(argv: Sequence[object], extra: Mapping[str, str] | None = None) -> str:
    """Run a tool to its end and return its output. Raises ToolFailed."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, env={**environment(), **(extra or {})}, capture_output=True, text=True
    )
    if done.returncode:
        raise ToolFailed(
            f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout + done.stderr


def versions() -> dict[str, str]:
    """Return the version of each tool that is installed."""
    found = {"python": platform.python_version()}
    for program, words in _VERSION.items():
        if have(program):
            match = re.search(r"\d+(\.\d+)+|\d+\.\d+", run([program, *words]))
            found[program] = match.group() if match else "?"
    return found
