"""Many DataVolumes are measured: every row is there, and none was refused."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import many


def test_a_few_are_measured(tmp_path: Path) -> None:
    lines = many.report(tmp_path, count=4, within=1.0)

    assert lines[0].startswith("4 DataVolumes in 1 s")
    assert [line for line in lines if line.startswith("refused") and line.endswith("kept")]
    wanted = ("a create is answered within", "API writes for each", "memory then")
    assert all(any(line.startswith(word) for line in lines) for word in wanted)
    assert list(tmp_path.iterdir()) == []
