import pytest

from cdi.images.transfer.threads import START, WINDOW, Pace


def counts(most: int, rate_of: dict[int, float], looks: int = 8, waiting: float = 1.0) -> list[int]:
    """Play a server that gives `rate_of[n]` bytes a second to n connections."""
    pace, now, received, seen = Pace(most, 0.0), 0.0, 0.0, []
    waited = 0.0
    for _ in range(looks):
        received += rate_of[pace.count] * WINDOW
        now += WINDOW
        waited += WINDOW * pace.count * waiting
        seen.append(pace.look(now, int(received), waited, pace.count))
    return seen


@pytest.mark.parametrize(
    ("rates", "most", "last"),
    [
        pytest.param({2: 10e6, 4: 20e6, 8: 40e6, 16: 80e6}, 16, 16, id="capped-per-connection"),
        pytest.param({2: 900e6, 4: 950e6, 8: 950e6}, 16, 4, id="as-fast-with-few"),
        pytest.param({2: 10e6, 4: 20e6, 8: 21e6}, 16, 8, id="until-it-no-longer-pays"),
        pytest.param({1: 10e6}, 1, 1, id="one-is-the-limit"),
        pytest.param({2: 10e6, 3: 15e6}, 3, 3, id="never-more-than-allowed"),
        pytest.param({2: 0.0}, 16, 2, id="nothing-arrives"),
    ],
)
def test_connections_grow_while_they_pay(rates, most, last):
    assert counts(most, rates)[-1] == last


def test_a_rate_is_judged_over_a_whole_window():
    pace = Pace(16, 0.0)
    assert pace.look(WINDOW / 2, 1 << 30, WINDOW, 2) == START


def test_nothing_is_changed_while_the_time_goes_elsewhere():
    assert counts(16, {2: 10e6, 4: 20e6}, waiting=0.3)[-1] == START


def test_connections_that_become_fast_slowly_are_noticed_after_a_rest():
    pace = Pace(16, 0.0)
    now, received = WINDOW, int(10e6 * WINDOW)
    assert pace.look(now, received, 100.0, 1) == 4
    for _ in range(20):
        now, received = now + WINDOW, received + int(11e6 * WINDOW)
        assert pace.look(now, received, now * 100, 1) == 4
    for _ in range(20):
        now, received = now + WINDOW, received + int(20e6 * WINDOW)
        pace.look(now, received, now * 100, 1)
    assert pace.count == 8
