"""Which events are written, counted, joined or dropped."""

from __future__ import annotations

from cdi.kube import correlate
from cdi.kube.correlate import Again, Correlator, Drop, Fresh, Occurrence


def seen(message: str = "m", name: str = "pod", reason: str = "Why") -> Occurrence:
    return Occurrence("Pod", "ns", name, "uid", "Normal", reason, message)


def written(correlator: Correlator, occurrence: Occurrence, now: float) -> Fresh | Again | Drop:
    """Decide, and carry the decision out."""
    decision = correlator.decide(occurrence, now)
    if isinstance(decision, Fresh):
        correlator.wrote(decision.key, f"event-{now:g}", 1, now)
    elif isinstance(decision, Again):
        correlator.wrote(decision.key, decision.event_name, decision.count, now)
    return decision


def test_the_same_event_is_counted() -> None:
    correlator = Correlator()
    decisions = [written(correlator, seen(), now) for now in (0.0, 1.0, 2.0)]
    assert isinstance(decisions[0], Fresh)
    assert [(d.event_name, d.count) for d in decisions[1:] if isinstance(d, Again)] == [
        ("event-0", 2),
        ("event-0", 3),
    ]


def test_another_message_reason_or_object_is_another_event() -> None:
    correlator = Correlator()
    for other in (seen(), seen(message="n"), seen(reason="Because"), seen(name="other")):
        assert isinstance(written(correlator, other, 0.0), Fresh)


def test_an_event_of_long_ago_starts_anew() -> None:
    correlator = Correlator()
    written(correlator, seen(), 0.0)
    assert isinstance(written(correlator, seen(), correlate.WINDOW + 1), Fresh)


def test_events_that_differ_in_their_message_only_are_joined() -> None:
    correlator = Correlator()
    decisions = [
        written(correlator, seen(f"{number} %"), number) for number in range(correlate.SIMILAR + 2)
    ]
    assert all(isinstance(decision, Fresh) for decision in decisions[:-1])
    last = decisions[-1]
    assert isinstance(last, Again)
    assert last.message == f"{correlate.COMBINED}{correlate.SIMILAR + 1} %"


def test_a_message_that_was_written_alone_is_still_counted_alone() -> None:
    correlator = Correlator()
    for number in range(correlate.SIMILAR + 2):
        written(correlator, seen(f"{number} %"), number)
    decision = written(correlator, seen("0 %"), 20.0)
    assert isinstance(decision, Again)
    assert (decision.event_name, decision.count, decision.message) == ("event-0", 2, "0 %")


def test_one_noisy_object_uses_up_only_its_own_budget() -> None:
    correlator = Correlator()
    decisions = [written(correlator, seen(), now=0.0) for _ in range(correlate.BURST + 1)]
    assert isinstance(decisions[-2], Again)
    assert isinstance(decisions[-1], Drop)
    assert isinstance(written(correlator, seen(name="quiet"), 0.0), Fresh)


def test_what_is_told_again_and_again_costs_nothing_new_its_place() -> None:
    correlator = Correlator()
    for _ in range(10 * correlate.BURST):
        written(correlator, seen("in use"), 0.0)
    assert isinstance(written(correlator, seen("succeeded", reason="Done"), 0.0), Fresh)


def test_repeats_that_were_not_written_are_counted_with_the_next_one() -> None:
    correlator = Correlator()
    for _ in range(100):
        written(correlator, seen(), 0.0)
    decision = written(correlator, seen(), 300.0)
    assert isinstance(decision, Again)
    assert decision.count == 101


def test_the_budget_comes_back_with_time() -> None:
    correlator = Correlator()
    for _ in range(correlate.BURST + 1):
        written(correlator, seen(), 0.0)
    assert not isinstance(written(correlator, seen(), 300.0), Drop)


def test_an_event_that_the_server_lost_is_written_anew() -> None:
    correlator = Correlator()
    written(correlator, seen(), 0.0)
    again = correlator.decide(seen(), 1.0)
    assert isinstance(again, Again)
    correlator.lost(again.key)
    assert isinstance(correlator.decide(seen(), 2.0), Fresh)


def test_memory_is_bounded() -> None:
    correlator = Correlator(size=3)
    for number in range(100):
        written(correlator, seen(name=f"pod-{number}"), 0.0)
    assert isinstance(written(correlator, seen(name="pod-0"), 0.0), Fresh)
    assert isinstance(written(correlator, seen(name="pod-99"), 0.0), Again)
