"""`cdi up` where walls around workers are missing: told once, or refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Root of a user namespace of its own has no other users that workers could be.
ALONE = ("unshare", "--user", "--map-root-user")

pytestmark = pytest.mark.skipif(
    subprocess.run([*ALONE, "true"], capture_output=True).returncode != 0,
    reason="this system allows no user namespaces",
)


def command(folder: Path, *more: str) -> list[str]:
    where = ("--data-dir", str(folder / "data"), "--listen", "127.0.0.1:0")
    return [*ALONE, sys.executable, "-m", "cdi", "up", *where, *more]


def test_it_refuses_to_run_without_walls_that_are_required(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--require-walls"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "workers run as root, as they cannot be a user of their own" in done.stderr
    assert "or without --require-walls" in done.stderr
    assert not list((tmp_path / "data").glob("pods/*"))


def test_it_says_once_that_walls_are_missing(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)][-1] == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count("walls around workers are missing") == 1
