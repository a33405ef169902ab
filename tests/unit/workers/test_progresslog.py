"""What a worker's log says of its progress."""

from __future__ import annotations

import pytest

from cdi.images.transfer.meter import Meter
from cdi.workers.progresslog import EVERY, ProgressLog


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    found = [(each.message, getattr(each, "percent", None)) for each in caplog.records]
    caplog.clear()
    return found


def test_the_first_bytes_are_told_and_then_every_few_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    meter = Meter()
    progress = ProgressLog(meter, 100.0)
    progress.look(100.5)
    assert lines(caplog) == []
    meter.received(10)
    progress.look(101.0)
    assert lines(caplog) == [("progress", None)]
    meter.total = 400
    meter.received(90)
    meter.reached(100)
    progress.look(101.0 + EVERY - 0.5)
    assert lines(caplog) == []
    progress.look(101.0 + EVERY)
    assert lines(caplog) == [("progress", 25.0)]


def test_a_source_that_says_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    meter = Meter()
    progress = ProgressLog(meter, 0.0)
    progress.look(EVERY)
    assert lines(caplog) == [("nothing came from the source", None)]
