"""Durations as objects state them."""

import pytest

from cdi.api import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("0s", 0)],
)
def test_a_duration_is_read_as_go_reads_it(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "soon", "1 h", "-1h", "1d", "1h ", "h", "\u0661h"])
def test_nonsense_is_named(text):
    with pytest.raises(durations.InvalidDuration, match="no duration"):
        durations.parse(text)
