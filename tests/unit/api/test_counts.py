"""Numbers in annotations."""

from __future__ import annotations

import pytest

from cdi.api.counts import parse_count


@pytest.mark.parametrize(("text", "number"), [
    ("0", 0), ("7", 7), ("1073741824", 1 << 30), ("9" * 18, 10**18 - 1),
    ("", None), (None, None), ("-1", None), ("1.5", None), ("1e3", None), (" 1", None),
    ("\u0664", None), ("9" * 5000, None),
])  # fmt: skip
def test_a_count_is_digits_and_not_too_many(text: str | None, number: int | None) -> None:
    assert parse_count(text) == number
