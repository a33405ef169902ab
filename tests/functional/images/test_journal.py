"""What a journal promises after a kill, a power cut, and damage."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from cdi.images.intervals import Intervals
from cdi.images.transfer import journalfile, resuming
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.progress import Progress, StreamPoint

KEY = {"source": "http://host/disk", "version": "v1"}


def test_what_was_noted_is_found_by_the_same_transfer(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10), (20, 30)))
    kept.digested(30, b"state")
    kept.at(StreamPoint(7, 9, 1, b"decoder"))
    found = resuming.load(tmp_path / "j", KEY)
    assert found is not None
    assert found.done == Intervals([(0, 10), (20, 30)])
    assert (found.digested, found.digest) == (30, b"state")
    assert found.stream == StreamPoint(7, 9, 1, b"decoder")


def test_another_transfer_finds_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "j", KEY, Progress()).done(((0, 10),))
    assert resuming.load(tmp_path / "j", {**KEY, "version": "v2"}) is None
    assert resuming.load(tmp_path / "absent", KEY) is None


def test_after_a_reboot_only_what_was_flushed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10),))
    flushed: list[bool] = []
    kept.checkpoint(lambda: flushed.append(True))
    kept.done(((10, 20),))
    other_boot = tmp_path / "boot_id"
    other_boot.write_text("another boot\n")
    monkeypatch.setattr(journalfile, "_BOOT_ID", other_boot)
    found = resuming.load(tmp_path / "j", KEY)
    assert flushed
    assert found is not None
    assert found.done == Intervals([(0, 10)])


def test_what_completes_while_the_target_is_flushed_is_not_called_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10),))
    kept.checkpoint(lambda: kept.done(((10, 20),)))
    same_boot = resuming.load(tmp_path / "j", KEY)
    monkeypatch.setattr(journalfile, "_BOOT_ID", tmp_path / "absent")
    rebooted = resuming.load(tmp_path / "j", KEY)
    assert same_boot is not None
    assert rebooted is not None
    assert same_boot.done == Intervals([(0, 20)])
    assert rebooted.done == Intervals([(0, 10)])


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_torn_line_ends_the_reading_and_harms_nothing_before_it(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j"
    kept = Journal(path, KEY, Progress())
    kept.done(((0, 10),))
    kept.done(((20, 30),))
    path.write_bytes(path.read_bytes()[:-cut])
    found = resuming.load(path, KEY)
    assert found is not None
    assert list(found.done) in ([], [(0, 10)], [(0, 10), (20, 30)])


def test_no_flipped_bit_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "j"
    Journal(path, KEY, Progress()).done(((0, 10), (20, 30)))
    whole = path.read_bytes()
    for at in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        path.write_bytes(damaged)
        found = resuming.load(path, KEY)
        assert found is None or list(found.done) in ([], [(0, 10), (20, 30)])


def test_a_failed_flush_leaves_the_earlier_promise(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())

    def broken() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        kept.checkpoint(broken)
    assert (tmp_path / "j").read_text().count('"durable":0') == 1


def test_a_removed_journal_is_gone(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "record",
    [{"done": 5}, {"done": [[1]]}, {"digested": 7}, {"stream": [1]}, {"stream": [1, 2, 3, "\n"]}],
)
def test_an_intact_record_that_makes_no_sense_spoils_the_journal(
    record: dict[str, object], tmp_path: Path
) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10),))
    text = json.dumps(record).encode()
    with (tmp_path / "j").open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    assert resuming.load(tmp_path / "j", KEY) is None
