"""The bench on a disk of 16 MiB: that it measures and reckons, never how fast anything was."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import __main__ as program
from bench import contenders, disk, race, rows, table, tools, watch, webserver

SIZE = 16 << 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.make_raw(tmp_path_factory.mktemp("disk"), SIZE)


@pytest.fixture
def server(original: Path) -> Iterator[webserver.Nginx]:
    with webserver.Nginx(original.parent, workers=1) as running:
        yield running


def row(**changes: float) -> rows.CaseRow:
    values = {"ours": 1.0, "scratch": 4.0, "pipe": 1.0, "memory": 50 << 20, "written": 100}
    values.update(changes)
    return rows.CaseRow(case="raw", source_bytes=1, pipe_name="dd", nonzero=100, **values)


def test_a_disk_holds_a_file_system_and_holes(original: Path):
    assert original.stat().st_size == SIZE
    with original.open("rb") as opened:
        opened.seek(0x438)
        assert opened.read(2) == b"\x53\xef"  # ext4's magic number
    assert 0 < disk.nonzero_bytes(original) < SIZE


def test_nonzero_bytes_are_counted_in_blocks_of_4_kib(tmp_path: Path):
    path = tmp_path / "three"
    path.write_bytes(b"a" + bytes(4095) + bytes(4096) + b"\0" * 4095 + b"b" + b"tail")
    assert disk.nonzero_bytes(path) == 2 * 4096 + 4


@pytest.mark.parametrize("case", ["qcow2-zlib", "raw.gz"])
def test_a_race_gives_a_row_with_every_figure(case: str, original: Path, server: webserver.Nginx):
    packed = disk.make_variant(original, case, original.parent)
    course = race.Course(server.url(packed), original.parent, original)
    nonzero = disk.nonzero_bytes(original)
    found = program.case_row(case, course, packed.stat().st_size, nonzero, rounds=1)
    assert min(found.ours, found.scratch, found.pipe) > 0
    assert found.memory > 1 << 20
    assert found.written >= nonzero * 0.9
    assert found.breakdown.keys() >= {"fetch", "decode", "write", "sync"}
    assert case in table.races([found])
    assert not list(original.parent.glob("lap.*"))


def test_a_wrong_disk_stops_the_race(original: Path, server: webserver.Nginx):
    liar = contenders.Contender("liar", 'truncate -s 16M "$disk"')
    with pytest.raises(tools.ToolFailed, match="mismatch"):
        race.Course(server.url(original), original.parent, original).lap(liar, compare=True)


def test_a_failing_program_is_told_with_its_words():
    with pytest.raises(tools.ToolFailed, match=r"status 7\nwhy"):
        watch.run(["sh", "-c", "echo why; exit 7"])


def test_the_mean_is_geometric():
    assert rows.faster_than_scratch([row(scratch=1.0), row(scratch=16.0)]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"pipe": 0.5}, ["the time of dd"], id="slower-than-the-pipe"),
        pytest.param({"memory": 200 << 20}, ["200 MiB resident"], id="memory"),
        pytest.param({"written": 110}, ["wrote 1.100"], id="written"),
        pytest.param({"scratch": 0.9}, ["never slower", "geometric mean"], id="slower"),
    ],
)
def test_each_missed_budget_has_a_line(changes: dict[str, float], words: list[str]):
    lines = rows.missed([row(**changes)], [])
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def test_a_budget_missed_in_another_table_is_part_of_the_verdict():
    said = list(table.verdict([], [], ["ranges   3.33   307   missed"]))
    assert said == ["MISSED, see above: ranges 3.33 307 missed"]
    assert list(table.verdict([], [])) == ["all budgets kept"]


def test_a_stage_does_not_count_what_it_waits_for_in_another():
    stages = {"fetch": 3.0, "fetch+decode": 5.0, "write": 1.0, "sync": 0.5}
    found = rows.breakdown_of(stages)
    assert found == {"fetch": 3.0, "decode": 2.0, "write": 1.0, "sync": 0.5}


def test_a_missed_time_names_the_stage_that_limits():
    slow = dataclasses.replace(row(pipe=0.5), stages={"fetch": 1.0, "decompress": 9.0})
    assert "decode takes the most: 8.00 s" in rows.missed([slow], [])[0]


def test_a_capped_row_must_be_four_times_faster():
    cap = rows.CapRow("raw", 1, 5_000_000, ours=1.0, stream=3.9)
    assert "3.9 x one stream" in rows.missed([], [cap])[0]


@pytest.mark.parametrize(
    ("text", "size"), [("3G", 3 << 30), ("512M", 512 << 20), ("1.5GiB", 3 << 29)]
)
def test_sizes_are_read(text: str, size: int):
    assert disk.parse_size(text) == size


def test_an_unknown_case_is_named():
    with pytest.raises(ValueError, match="nonsense"):
        program.parse_cases("raw,nonsense")


def test_columns_line_up():
    lines = table.table(["a", "b"], [["long", "1"], ["x", "22"]]).splitlines()
    assert lines == ["a      b", "long   1", "x     22"]
    assert all(one != two for one, two in itertools.pairwise(lines))
