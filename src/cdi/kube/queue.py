"""
The work queue: keys that want attention, each once, each with one worker at a time.

Here: de-duplication, delays, per-key back-off and an overall rate. A key that is added while a
worker has it is handed out again after that worker is done, so no change is ever missed and
none is worked on twice at once. Elsewhere: the workers (`controller`).

Belongs to one event loop; `add` and its kin are plain calls. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

from cdi.kube.backoff import Backoff
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.ratelimit import TokenBucket

K = TypeVar("K", bound=Hashable)

# The first retries are nearly immediate, because most failures are conflicts with our own
# last write; the last ones are a quarter of an hour apart. The overall rate keeps a thousand
# failing keys from using up the server.
RETRY = Backoff(first=0.005, longest=1000.0, jitter=0.0)
RETRIES_PER_SECOND = 10.0
RETRIES_AT_ONCE = 100


class ShutDownError(Exception):
    """The queue hands out nothing any more."""


class WorkQueue(Generic[K]):
    """Keys in, keys out."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        retry: Backoff = RETRY,
        bucket: TokenBucket | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._retry = retry
        self._bucket = bucket or TokenBucket(RETRIES_PER_SECOND, RETRIES_AT_ONCE)
        self._ready: asyncio.Queue[K | None] = asyncio.Queue()
        self._wanted: set[K] = set()  # waiting in _ready, or to be put there by done()
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._agenda: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._alarm: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many keys could be handed out now."""
        return 0 if self._closed else self._ready.qsize()

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    def add(self, key: K) -> None:
        """Ask for attention to `key` as soon as a worker is free."""
        if self._closed or key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for attention in `seconds`; an earlier appointment of the same key stands."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.now() + seconds
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._agenda, (due, next(self._order), key))
        if self._agenda[0][2] == key:
            self._set_alarm()

    def add_rate_limited(self, key: K) -> float:
        """Ask for attention after this key's back-off; return in how many seconds that is."""
        self._failures[key] = self._failures.get(key, 0) + 1
        pause = self._retry.pause(self._failures[key])
        pause = max(pause, self._bucket.reserve(self._clock.now()))
        self.add_after(key, pause)
        return pause

    def forget(self, key: K) -> None:
        """Let the key's back-off start over: it went well."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row the key went wrong."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """Wait for a key and take it; `done` has to follow. Raises ShutDownError."""
        while not self._closed:
            key = await self._ready.get()
            if key is None:
                break
            self._wanted.discard(key)
            self._active.add(key)
            return key
        self._ready.put_nowait(None)  # for the next worker that waits
        raise ShutDownError

    def done(self, key: K) -> None:
        """The worker has finished with a key, well or not."""
        self._active.discard(key)
        if key in self._wanted and not self._closed:
            self._ready.put_nowait(key)

    def shut_down(self) -> None:
        """Take no more keys and hand out no more; wakes every waiting worker."""
        if self._closed:
            return
        self._closed = True
        self._due.clear()
        self._agenda.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        self._ready.put_nowait(None)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().create_task(self._keep_appointments())

    async def _keep_appointments(self) -> None:
        while self._agenda:
            due, _, key = self._agenda[0]
            pause = due - self._clock.now()
            if pause > 0:
                await self._clock.sleep(pause)
                continue
            heapq.heappop(self._agenda)
            # An entry that an earlier appointment has replaced is stale.
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
