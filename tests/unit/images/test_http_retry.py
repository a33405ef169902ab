import pytest

from cdi.images import errors
from cdi.images.http import retry

POLICY = retry.Policy(base=0.5, ceiling=3.0, patience=60.0)
LOST = errors.ConnectionLost("gone")


def budget(tries=6, luck=1.0):
    return retry.Budget(POLICY, tries, lambda: luck)


def test_pauses_double_up_to_the_ceiling_and_then_end():
    one = budget(tries=6)
    assert [one.pause_after(LOST) for _ in range(6)] == [0.5, 1.0, 2.0, 3.0, 3.0, None]


def test_half_of_a_pause_is_chance():
    assert budget(luck=0.0).pause_after(LOST) == 0.25


def test_progress_forgives_what_was_before():
    one = budget(tries=2)
    one.pause_after(LOST)
    one.progressed(1)
    assert one.pause_after(LOST) is not None


def test_no_pause_after_a_connection_that_was_worth_it():
    one = budget()
    one.progressed(retry.WORTHWHILE)
    assert one.pause_after(LOST) == 0.0
    assert one.pause_after(LOST) == 1.0


def test_a_server_that_dribbles_is_not_hammered():
    one = budget()
    one.progressed(1)
    assert one.pause_after(LOST) == 0.5


@pytest.mark.parametrize(
    ("wish", "pause"),
    [
        pytest.param(0.0, 0.5, id="less-than-our-own"),
        pytest.param(20.0, 20.0, id="more-than-our-own"),
        pytest.param(60.0, 60.0, id="at-the-limit"),
        pytest.param(61.0, None, id="too-long-to-sit-here"),
    ],
)
def test_the_servers_wish_counts_within_reason(wish, pause):
    assert budget().pause_after(errors.SourceUnavailable("busy", wish)) == pause


def test_it_knows_whether_all_failures_were_alike():
    one = budget()
    one.pause_after(LOST)
    assert one.only(errors.ConnectionLost)
    one.pause_after(errors.Stalled("silence"))
    assert not one.only(errors.ConnectionLost)
