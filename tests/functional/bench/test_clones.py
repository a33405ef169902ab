"""The bench of copies: that its contenders copy, never how fast anything was."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import clones

from support import disks


@pytest.mark.parametrize("copy", [clones.piped, clones.copied, clones.sent])
def test_a_contender_copies(copy: Callable[[Path, Path], None], tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    disks.raw_disk(source / "disk.img")
    copy(source, target)
    copied = (target / "data" / "disk.img").read_bytes()
    assert copied == (source / "disk.img").read_bytes()


def test_a_budget_that_is_missed_is_said() -> None:
    row = clones.Row("ranges", 2.0, 1.0, ">= 2 x as fast as plain", 1.5, met=False)
    assert "missed" in clones.shown([row], 1 << 20)
