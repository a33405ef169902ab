"""
Stages as plain threads: bounded queues that can be closed, and iterables that run ahead.

A stage is an iterable of byte pieces. `ahead` gives one a thread of its own, so that it works
while its consumer does; `InOrder` fetches parts of a source by several threads and hands them on
in order. Memory is bounded by the limits given, whatever the amount of data. The first failure
wins, reaches the consumer in place of the next item, and stops everything upstream; a consumer
that stops early does the same by closing the iterator.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)
Job = TypeVar("Job")

_AT_ONCE = 8


class Closed(Exception):
    """The other side of a queue is gone."""


class Queue(Generic[T]):
    """A queue bounded by the summed length of its items; at least one item always fits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[T] = deque()
        self._size = 0
        self._ended = False
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Append, waiting for room. Raises Closed once the reader has gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._size < self._limit)
            if self._closed:
                raise Closed
            self._items.append(item)
            self._size += len(item)
            self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """Nothing more comes; readers get what is there, then `failure` if there was one."""
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
            self._changed.notify_all()

    def close(self) -> None:
        """The reader goes: wake and refuse writers, drop what is there."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._size = 0
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._closed)
                if not self._items:
                    if self._failure is not None:
                        raise self._failure
                    return
                item = self._items.popleft()
                self._size -= len(item)
                self._changed.notify_all()
            yield item


def ahead(items: Iterable[T], limit: int, name: str) -> Generator[T, None, None]:
    """Run `items` in a thread of its own, at most `limit` bytes ahead of the consumer."""
    queue: Queue[T] = Queue(limit)

    def work() -> None:
        try:
            for item in items:
                queue.put(item)
        except Closed:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            queue.end(error)
        finally:
            if isinstance(items, Generator):
                items.close()
            queue.end()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield from queue
    finally:
        queue.close()
        thread.join()


class InOrder:
    """Parts of one range, fetched by several threads, read in order by one."""

    def __init__(
        self,
        fetch: Callable[[int, int], Iterator[bytes]],
        start: int,
        end: int,
        part: int,
        workers: Callable[[], int],
    ) -> None:
        """`fetch(start, end)` streams a range; at least `part` bytes are asked for at a time.

        Few workers ask for more, at most as much as _AT_ONCE of them: fewer requests, while no
        more bytes are on their way, which a killed process has fetched for nothing.

        `workers()` says how many threads may work at the moment; it is asked again and again.
        """
        self._fetch = fetch
        self._next, self._end, self._part = start, end, part
        self._workers = workers
        self._parts: deque[Queue[bytes]] = deque()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._stopped = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            self._hire()
            while (part := self._first_part()) is not None:
                yield from part
                with self._changed:
                    self._parts.popleft()
                    self._changed.notify_all()
                self._hire()
        finally:
            self._stop()

    def _first_part(self) -> Queue[bytes] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._next >= self._end)
            return self._parts[0] if self._parts else None

    def _hire(self) -> None:
        while len(self._threads) < self._workers():
            number = len(self._threads)
            thread = threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _take(self) -> tuple[int, int, Queue[bytes]] | None:
        with self._changed:
            # Two parts a worker: one that is read, one that is on its way.
            self._changed.wait_for(
                lambda: self._stopped or len(self._parts) < 2 * max(1, self._workers())
            )
            if self._stopped or self._next >= self._end:
                return None
            part = self._part * max(1, _AT_ONCE // max(1, self._workers()))
            start, self._next = self._next, min(self._next + part, self._end)
            queue: Queue[bytes] = Queue(part)
            self._parts.append(queue)
            self._changed.notify_all()
            return start, self._next, queue

    def _work(self) -> None:
        while (task := self._take()) is not None:
            start, end, queue = task
            try:
                for piece in self._fetch(start, end):
                    queue.put(piece)
            except Closed:
                return
            except BaseException as error:  # noqa: BLE001 - handed to the consumer
                queue.end(error)
                return
            queue.end()

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            for part in self._parts:
                part.close()
            self._changed.notify_all()


class Begun:
    """Work that a crew had at one moment."""

    def __init__(self, work: tuple[Future[object], ...]) -> None:
        self._work = work

    @property
    def is_done(self) -> bool:
        """Whether all of it is done, and none has failed."""
        return all(
            each.done() and not each.cancelled() and each.exception() is None for each in self._work
        )

    def wait(self, seconds: float) -> None:
        """Return when it is done, or so much later."""
        futures.wait(self._work, seconds)


class Crew(Generic[Job]):
    """Threads that share one kind of work. What is put is done in any order, and soon.

    Use as a context manager: leaving it waits for what is under way, and drops the rest. The
    first failure reaches whoever puts, or waits.
    """

    def __init__(self, do: Callable[[Job], object], count: int, name: str) -> None:
        """`count` threads; at most twice as many pieces of work wait or are under way."""
        self._do, self._most = do, 2 * count
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._begun: deque[Future[object]] = deque()

    def __enter__(self) -> Crew[Job]:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def put(self, item: Job) -> None:
        """Have it done; waits while too much is."""
        while self._begun and (self._begun[0].done() or len(self._begun) >= self._most):
            self._begun.popleft().result()
        self._begun.append(self._threads.submit(self._do, item))

    def begun(self) -> Begun:
        """Return what has been put and may not be done yet."""
        return Begun(tuple(self._begun))

    def wait(self) -> None:
        """Return when everything is done."""
        while self._begun:
            self._begun.popleft().result()
