"""
Time, handed in: what a loop asks for the time and for a pause.

Here: the real clock, and `within`, an end for any wait, measured on a given clock. Tests hand
in a clock of their own and move it. Durations are in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from cdi.kube import tasks

T = TypeVar("T")


class Clock(Protocol):
    """Two times and a pause."""

    def now(self) -> float:
        """Seconds from an arbitrary start, never going back: for durations."""

    def wall(self) -> datetime:
        """The time of day in UTC: for what people and other machines read."""

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        # Unlike the monotonic clock it goes on while the machine sleeps; a lease does, too.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, or raise TimeoutError after `seconds` and cancel it.

    Like `asyncio.timeout`, but on the given clock. Cancelling the caller cancels the work.
    """
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError(f"not done within {seconds:g} s")
        return task.result()
    finally:
        await tasks.cancel(task, alarm)


async def wait_for(clock: Clock, seconds: float, event: asyncio.Event) -> bool:
    """Wait until `event` is set or `seconds` have passed; return whether it is set."""
    with contextlib.suppress(TimeoutError):
        await within(clock, seconds, event.wait())
    return event.is_set()
