"""
A clock that tests move.

`advance` moves it by hand and wakes who slept until then. Sleeps of at most `skip` seconds take
no real time and move the clock by themselves: back-offs fly by, while longer waits, such as a
watch's patience, stay under the test's control.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    def __init__(self, skip: float = 0.0) -> None:
        self.sleeps: list[float] = []  # every pause that was asked for
        self._now = 0.0
        self._skip = skip
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if seconds <= self._skip:
            self._now += max(0.0, seconds)
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waker))
        await waker

    @property
    def next_wake(self) -> float | None:
        """Seconds until somebody wakes, or None where nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] - self._now if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Let time pass; whoever wakes on the way runs at its own moment."""
        end = self._now + seconds
        await settle()
        while (pause := self.next_wake) is not None and self._now + pause <= end:
            self._now += pause
            heapq.heappop(self._sleepers)[2].set_result(None)
            await settle()
        self._now = end
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let everything run that can run without time or network."""
    for _ in range(rounds):
        await asyncio.sleep(0)
