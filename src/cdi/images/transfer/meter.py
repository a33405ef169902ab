"""
What a transfer has done so far: bytes and, per stage, seconds. Read by displays and benches.

Stages overlap and several threads work in each, so that the seconds add up to more than the wall
time; the largest figure names the stage that limits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_TOLD_EVERY = 0.02  # seconds of a stage that are added up before they are told


class Meter:
    """Counters of one transfer; any thread may add, any thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stage = "starting"
        self.fetched = 0  # bytes received from the source in this run
        self.position = 0  # how far into the source the work has come, earlier runs included
        self.total: int | None = None  # the source's length in bytes, where known
        self.seconds: dict[str, float] = {}

    def received(self, count: int) -> None:
        """Count bytes that arrived from the source."""
        with self._lock:
            self.fetched += count

    def reached(self, offset: int) -> None:
        """Note that the work has come to `offset` of the source."""
        with self._lock:
            self.position = max(self.position, offset)

    def spent(self, stage: str, seconds: float) -> None:
        """Add a thread's time in a stage."""
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def waited(self) -> float:
        """Seconds spent waiting for the source so far, all threads together."""
        return self.seconds.get("fetch", 0.0)

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on, and account for the time spent waiting for each of them."""
        spent = 0.0
        iterator = iter(items)
        try:
            while True:
                began = time.perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                finally:
                    spent += time.perf_counter() - began
                if spent > _TOLD_EVERY:
                    self.spent(stage, spent)
                    spent = 0.0
                yield item
        finally:
            self.spent(stage, spent)


class Throughput:
    """Rate and time left, from what has arrived since the first update."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._base = 0

    def update(self, meter: Meter) -> tuple[float, float | None]:
        """Return bytes a second and seconds left; None where nobody can know."""
        if self._began is None:
            self._began, self._base = self._clock(), meter.fetched
        passed = self._clock() - self._began
        rate = (meter.fetched - self._base) / passed if passed > 0 else 0.0
        if meter.total is None or rate <= 0:
            return rate, None
        return rate, max(0.0, (meter.total - meter.position) / rate)
