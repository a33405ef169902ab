"""The bench of uploads measures what it says, on a disk too small to mean anything."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import disk, uploads

MIB = 1 << 20


def test_an_upload_is_raced_against_scratch(tmp_path: Path) -> None:
    original = disk.make_raw(tmp_path, 16 * MIB)
    row = uploads.measured(tmp_path, "qcow2-zlib", original, rounds=1)
    assert row.ours > 0
    assert row.scratch > 0
    assert row.proxied > 0
    assert row.memory > 10 * MIB
    assert row.proxy_memory > 10 * MIB
    assert "qcow2-zlib" in uploads.shown([row])


def test_missed_budgets_are_said() -> None:
    good = uploads.Row("qcow2-zlib", MIB, 1.0, 2.0, 3.0, 100 * MIB, 100 * MIB)
    slow = uploads.Row("qcow2-zlib", MIB, 2.0, 2.0, 3.0, 100 * MIB, 100 * MIB)
    large = uploads.Row("raw", MIB, 2.0, 2.0, 3.0, 200 * MIB, 200 * MIB)
    assert uploads.missed([good]) == []
    assert len(uploads.missed([slow, large])) == 3
