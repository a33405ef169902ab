"""Durations: read and written as Go does it."""

from datetime import timedelta

import pytest

from cdi.api import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("48h0m0s", 172800),
        ("90s", 90),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1m.5s", 60.5),
        ("-2m", -120),
        ("0", 0),
    ],
)
def test_a_duration_is_read(text, seconds):
    assert duration.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "h", "5", "5 m", "1d", "1h-1m", "1e3s", "9" * 20 + "h", "1h "]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(duration.InvalidDuration):
        duration.parse(text)


@pytest.mark.parametrize("text", ["48h0m0s", "12h0m0s", "1m30s", "30s", "0s", "-1h0m0s"])
def test_a_duration_is_written_as_it_was_read(text):
    assert duration.show(duration.parse(text)) == text
