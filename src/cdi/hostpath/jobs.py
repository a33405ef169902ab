"""
Work that takes its time: who waits for it may give up, and it goes on.

A job has a key, and there is one of each key. Whoever asks for the same again joins it. One that
has ended is forgotten once somebody has heard how.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """One piece of work, done by a thread."""

    about: Any  # what was asked for, to tell the same from something else
    cancel: threading.Event
    task: asyncio.Future[T]


class Jobs(Generic[T]):
    """Jobs by key; used by one event loop."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job[T]] = {}

    def get(self, key: Hashable) -> Job[T] | None:
        return self._jobs.get(key)

    def all(self) -> list[Job[T]]:
        return list(self._jobs.values())

    def start(self, key: Hashable, about: Any, work: Callable[[threading.Event], T]) -> Job[T]:
        """Begin a job; there is none of this key."""
        cancel = threading.Event()
        task = asyncio.ensure_future(asyncio.to_thread(work, cancel))
        job = Job(about, cancel, task)
        self._jobs[key] = job
        return job

    async def wait(self, key: Hashable, job: Job[T], patience: float) -> bool:
        """Wait for `patience` seconds at most; return whether it has ended, and forget it then."""
        await asyncio.wait({job.task}, timeout=patience)
        if not job.task.done():
            return False
        self._forget(key, job)
        return True

    async def cancel(self, key: Hashable) -> None:
        """End a job, if there is one, and wait until it has; how does not matter."""
        if job := self._jobs.get(key):
            job.cancel.set()
            await asyncio.wait({job.task})
            self._forget(key, job)

    async def cancel_all(self) -> None:
        for job in self.all():
            job.cancel.set()
        for key in list(self._jobs):
            await self.cancel(key)

    def _forget(self, key: Hashable, job: Job[T]) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
        if not job.task.cancelled():
            job.task.exception()  # heard: no complaint that nobody asked
