"""The measurement of `cdi up`, with few volumes: that it measures, never how fast anything was."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import controlplane

MEASURED = (
    "cdi up to ready",
    "memory, idle",
    "import of a 10 MiB disk, apply to Succeeded",
    "API writes for it",
    "2 blank at once, apply to all Succeeded",
    "3 created",
    "memory with 3",
)


def test_a_report_has_every_row(tmp_path: Path):
    lines = controlplane.report(tmp_path, rounds=1, at_once=2, many=3)
    for what in MEASURED:
        assert any(line.startswith(what) for line in lines), what
    assert "0 errors" in "".join(lines)
    assert list(tmp_path.iterdir()) == []
