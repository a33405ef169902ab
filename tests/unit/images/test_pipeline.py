import threading

import pytest

from cdi.images import errors
from cdi.images.transfer import pipeline


def test_what_runs_ahead_arrives_in_order():
    pieces = [bytes([n]) * 10 for n in range(200)]
    assert list(pipeline.ahead(iter(pieces), 50, "test")) == pieces


def test_an_error_upstream_reaches_the_consumer_after_what_came_before_it():
    def source():
        yield b"one"
        raise errors.ConnectionLost("gone")

    ahead = pipeline.ahead(source(), 10, "test")
    assert next(ahead) == b"one"
    with pytest.raises(errors.ConnectionLost):
        next(ahead)


def test_a_consumer_that_stops_stops_the_thread_and_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield b"x" * 10
        finally:
            closed.set()

    ahead = pipeline.ahead(source(), 20, "test")
    next(ahead)
    ahead.close()
    assert closed.is_set()


def test_a_queue_takes_one_item_larger_than_its_limit():
    queue: pipeline.Queue[bytes] = pipeline.Queue(4)
    queue.put(b"123456789")
    queue.end()
    assert list(queue) == [b"123456789"]


def test_a_closed_queue_refuses_its_writer():
    queue: pipeline.Queue[bytes] = pipeline.Queue(4)
    queue.close()
    with pytest.raises(pipeline.Closed):
        queue.put(b"1")


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("part", [1, 3, 64, 1000])
def test_parts_fetched_by_many_are_read_in_order(workers, part):
    data = bytes(range(256)) * 4

    def fetch(start, end):
        for at in range(start, end, 5):
            yield data[at : min(at + 5, end)]

    seen = b"".join(pipeline.InOrder(fetch, 7, len(data), part, lambda: workers))
    assert seen == data[7:]


@pytest.mark.parametrize(("workers", "largest"), [(1, 80), (2, 40), (8, 10), (30, 10)])
def test_few_workers_ask_for_larger_parts(workers, largest):
    asked = []

    def fetch(start, end):
        asked.append(end - start)
        yield bytes(end - start)

    assert len(b"".join(pipeline.InOrder(fetch, 0, 1000, 10, lambda: workers))) == 1000
    assert max(asked) == largest


def test_the_failure_of_one_part_ends_the_reading():
    def fetch(start, _end):
        if start >= 40:
            raise errors.Stalled("silence")
        yield b"x" * 10

    with pytest.raises(errors.Stalled):
        list(pipeline.InOrder(fetch, 0, 100, 10, lambda: 3))


def test_a_crew_does_everything_it_is_given() -> None:
    done: list[int] = []
    with pipeline.Crew(done.append, 3, "crew") as crew:
        for number in range(100):
            crew.put(number)
        crew.wait()
        assert sorted(done) == list(range(100))


def test_the_first_failure_of_a_crew_reaches_who_puts() -> None:
    def refuse(number: int) -> None:
        if number == 3:
            raise ValueError("three")

    def work() -> None:
        with pipeline.Crew(refuse, 2, "crew") as crew:
            for number in range(100):
                crew.put(number)

    with pytest.raises(ValueError, match="three"):
        work()


def test_leaving_a_crew_waits_for_what_is_under_way() -> None:
    begun, leave = threading.Event(), threading.Event()
    done: list[int] = []

    def work(number: int) -> None:
        begun.set()
        assert leave.wait(30)
        done.append(number)

    with pipeline.Crew(work, 1, "crew") as crew:
        crew.put(1)
        assert begun.wait(30)
        leave.set()
    assert done == [1]
