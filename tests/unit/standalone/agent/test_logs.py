"""Which part of a log is shown."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdi.standalone.agent import logs
from cdi.standalone.agent.logs import LogOptions, Logs
from cdi.standalone.apiserver.status import ApiError

NOW = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
CONTENT = (
    b'{"time": "2030-01-01T12:00:00.000Z", "msg": "one"}\n'
    b"plain\n"
    b'{"time": "2030-01-01T12:00:20.000Z", "msg": "two"}\n'
)
ONE, PLAIN, TWO = CONTENT.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        pytest.param({}, CONTENT, id="all"),
        pytest.param({"tailLines": "1"}, TWO, id="last-line"),
        pytest.param({"tailLines": "0"}, b"", id="none"),
        pytest.param({"tailLines": "9"}, CONTENT, id="more-than-there-is"),
        pytest.param({"sinceSeconds": "15"}, TWO, id="recent"),
        pytest.param({"sinceTime": "2030-01-01T12:00:10Z"}, TWO, id="since-a-moment"),
        pytest.param({"sinceSeconds": "3600"}, CONTENT, id="since-long"),
        pytest.param({"limitBytes": "5"}, CONTENT[:5], id="a-few-bytes"),
        pytest.param(
            {"timestamps": "true", "tailLines": "2"},
            b"2030-01-01T12:00:00.000Z plain\n2030-01-01T12:00:20.000Z " + TWO, id="timestamps",
        ),
        pytest.param({"follow": "true"}, CONTENT, id="follow-what-has-ended"),
    ],
)  # fmt: skip
def test_what_was_asked_for_is_shown(query: dict[str, str], shown: bytes, tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_bytes(CONTENT)

    async def read() -> bytes:
        wanted = logs.parse(query, NOW)
        return b"".join([piece async for piece in Logs(tmp_path).read(file, wanted)])

    assert asyncio.run(read()) == shown


def test_a_log_that_grows_is_followed_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_bytes(ONE)
    kept = Logs(tmp_path)
    kept.began(file)

    async def read() -> list[bytes]:
        seen = []
        async for piece in kept.read(file, LogOptions(follow=True)):
            seen.append(piece)
            with file.open("ab") as log:
                if len(seen) == 1:
                    log.write(PLAIN + TWO[:9])
                if len(seen) == 2:
                    log.write(TWO[9:])
                    kept.ended(file)
        return seen

    assert asyncio.run(read()) == [ONE, PLAIN, TWO]


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ApiError, match="tailLines"):
        logs.parse({"tailLines": "few"}, NOW)


def test_the_end_of_a_log_stands_in_for_a_message(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_bytes(b"x" * 5000 + b"\nlast\n")

    assert logs.tail(file).endswith("x\nlast\n")
    assert len(logs.tail(file)) == 2048
    assert logs.tail(tmp_path / "none") == ""


def logged(root: Path, uid: str, age: timedelta) -> Path:
    file = root / f"default_importer-a_{uid}" / "importer" / "0.log"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    moment = (NOW - age).timestamp()
    os.utime(file, (moment, moment))
    return file


def uids_in(root: Path) -> set[str]:
    return {path.name.rpartition("_")[2] for path in root.iterdir()}


def test_logs_of_pods_that_are_gone_go_after_a_week(tmp_path: Path) -> None:
    for uid, days in (("there", 30), ("lately", 6), ("long-gone", 8)):
        logged(tmp_path, uid, timedelta(days=days))
    Logs(tmp_path).prune({"there"}, NOW)
    assert uids_in(tmp_path) == {"there", "lately"}


def test_of_many_pods_that_are_gone_the_latest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        logged(tmp_path, f"pod-{number}", timedelta(minutes=number))
    kept = Logs(tmp_path, most=2)
    kept.began(logged(tmp_path, "still-writing", timedelta(minutes=9)))
    kept.prune((), NOW)
    assert uids_in(tmp_path) == {"pod-0", "pod-1", "still-writing"}


def test_of_a_container_that_starts_again_and_again_the_latest_logs_are_kept(
    tmp_path: Path,
) -> None:
    kept = Logs(tmp_path)
    for number in range(25):
        file = tmp_path / f"{number}.log"
        file.touch()
        kept.began(file)
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == list(range(15, 25))
