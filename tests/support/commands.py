"""Run `cdi` as its user does: a process, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

DEADLINE = 60  # seconds after which a command counts as hung
PROGRAM = (sys.executable, "-m", "cdi")


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str
    errors: str


async def run(*words: str, home: Path, **environment: str) -> Outcome:
    """Run a command to its end, with a home directory of its own."""
    process = await start(*words, home=home, **environment)
    async with asyncio.timeout(DEADLINE):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, output.decode(), errors.decode())


async def start(*words: str, home: Path, **environment: str) -> asyncio.subprocess.Process:
    """Begin a command."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "PYTHONPATH") if key in os.environ}
    return await asyncio.create_subprocess_exec(
        *PROGRAM,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**kept, "HOME": str(home), **environment},
    )


def kubeconfig(path: Path, server: str, **context: str) -> str:
    """Write a kubeconfig for a server, and return its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", **context}}],
        "clusters": [{"name": "k", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "sesame"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)
