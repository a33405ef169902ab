"""How fast and how patiently: token buckets and back-off."""

from __future__ import annotations

import pytest

from cdi.kube.backoff import Backoff
from cdi.kube.ratelimit import TokenBucket


def test_a_burst_is_free_and_the_rest_waits_its_turn() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.reserve(0.0) for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])


def test_rest_fills_the_bucket_but_never_over_the_brim() -> None:
    bucket = TokenBucket(rate=10, burst=2)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(0.1)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    assert bucket.take(5.0)
    assert not bucket.take(4.0)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_gives_nothing_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="token bucket"):
        TokenBucket(rate, burst)


@pytest.mark.parametrize(
    ("failures", "chance", "pause"),
    [
        pytest.param(1, 0.0, 1.0, id="first"),
        pytest.param(2, 0.0, 2.0, id="doubled"),
        pytest.param(2, 1.0, 3.0, id="with-all-of-its-jitter"),
        pytest.param(5, 0.0, 10.0, id="bounded"),
        pytest.param(100_000, 0.0, 10.0, id="no-overflow"),
    ],
)
def test_a_pause_grows(failures: int, chance: float, pause: float) -> None:
    assert Backoff(first=1.0, longest=10.0).pause(failures, lambda: chance) == pause
