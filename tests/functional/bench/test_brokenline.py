"""The bench of uploads over breaking lines, on a file too small to mean anything."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import brokenline

MIB = 1 << 20


def test_an_upload_arrives_whole_and_is_counted(tmp_path: Path) -> None:
    row = brokenline.measured(tmp_path, 8 * MIB, every=10.0)
    assert row.sent > row.size == 8 * MIB
    assert "8" in brokenline.shown(row)


def test_missed_budgets_are_said() -> None:
    assert brokenline.missed(brokenline.Row(100 * MIB, 102 * MIB, 9, 1.0)) == []
    assert len(brokenline.missed(brokenline.Row(100 * MIB, 103 * MIB, 9, 1.0))) == 1
