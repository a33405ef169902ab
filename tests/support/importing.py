"""Run `cdi import` as its user does: a process, its exit status, its JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    status: int
    last: dict[str, Any]
    output: str
    errors: str


def start(source: str, output: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """Begin an import in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cdi", "import", source, "-o", str(output), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def outcome(process: subprocess.Popen[str]) -> Outcome:
    """Wait for the end of an import."""
    output, errors = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    last = json.loads(lines[-1]) if lines else {}
    return Outcome(process.returncode, last, output, errors)


def run(source: str, output: Path, *options: str, **environment: str) -> Outcome:
    """Import and wait."""
    return outcome(start(source, output, *options, **environment))


def leftovers(output: Path) -> list[str]:
    """Names of what lies beside a disk and should not after a success."""
    return sorted(path.name for path in output.parent.glob(output.name + ".*"))
