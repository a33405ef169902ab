"""The measurement of `cdi apiserver`: that it measures, never how fast anything was."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import webhooks

MEASURED = (
    "cdi apiserver to ready",
    "memory, idle",
    "nothing is done, 20 a second",
    "a DataVolume is validated, 20 a second",
    "a clone is authorized, 20 a second",
    "the same DataVolume, new connections and certificates, 20 a second",
    "memory then",
)


def test_a_report_has_every_row(tmp_path: Path):
    lines = webhooks.report(tmp_path, rate=20, seconds=0.5)
    for what in MEASURED:
        assert any(line.startswith(what) for line in lines), what
    assert list(tmp_path.iterdir()) == []
