"""
Start and stop of everything that runs, in an order that is data.

Here: groups, their order, and what happens when a part fails. Elsewhere: the parts. A group is
started when the one before it is ready, and stopped before that one is; so controllers never
see an empty cache, and events of the last reconcile still go out. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Protocol

from cdi.kube import errors, tasks
from cdi.kube.clock import Clock, SystemClock, within

log = logging.getLogger(__name__)

# Kubernetes kills a pod 30 s after asking it to stop.
GRACE = 20.0


class Group(IntEnum):
    """What starts when: in this order up, in the reverse order down."""

    SUPPORT = 0  # what all others use until the end: the event recorder
    SERVERS = 1  # webhooks and probes: objects may need them to be readable
    CACHES = 2  # informers: ready when they hold a complete list
    CONTROLLERS = 3  # those that every replica runs
    ELECTION = 4  # ready when this replica leads
    LEADER = 5  # controllers that only the leader runs


class Runnable(Protocol):
    """One part. `name` is for people."""

    name: str

    async def ready(self) -> None:
        """Return once others may rely on it; asked while `run` runs."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then tidy up and return. Ending earlier is a failure."""


class Work:
    """Makes a part of a coroutine function; ready at once."""

    def __init__(self, name: str, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self._work = work

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def run(self, stop: asyncio.Event) -> None:
        await self._work(stop)


class EndedError(Exception):
    """A part ended although nobody had asked it to."""


class _Running:
    """A part that has been started."""

    def __init__(self, part: Runnable) -> None:
        self.part = part
        self.stop = asyncio.Event()
        self.task = asyncio.ensure_future(part.run(self.stop))

    def failure(self) -> BaseException | None:
        """Why it ended, unless it still runs or ended as it should."""
        if not self.task.done() or self.task.cancelled():
            return None
        if error := self.task.exception():
            return error
        return None if self.stop.is_set() else EndedError(f"{self.part.name} ended by itself")


class Manager:
    """Runs parts until told to stop or until one fails; then stops all of them."""

    def __init__(self, *, clock: Clock | None = None, grace: float = GRACE) -> None:
        self._clock = clock or SystemClock()
        self._grace = grace
        self._parts: dict[Group, list[Runnable]] = {group: [] for group in Group}
        self._running: dict[Group, list[_Running]] = {group: [] for group in Group}
        self._over = asyncio.Event()

    def add(self, group: Group, *parts: Runnable) -> None:
        """Register parts, before `run`."""
        self._parts[group].extend(parts)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for `stop` or a failure, stop everything; raise the failure."""
        failure: BaseException | None = None
        try:
            for group in Group:
                if not await self._start(group, stop):
                    break
            else:
                await tasks.until(stop, self._over_or_never())
            failure = self._failure()
        finally:
            for group in reversed(Group):
                await self._stop(group, self._grace_for(group, failure))
        if failure := failure or self._failure():
            raise failure

    async def _start(self, group: Group, stop: asyncio.Event) -> bool:
        """Start one group; return whether it got ready before the end of it all."""
        running = [self._launch(part) for part in self._parts[group]]
        self._running[group] = running
        ready = asyncio.ensure_future(_all_ready(self._parts[group]))
        over = asyncio.ensure_future(self._over.wait())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ready, over, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                return False
            ready.result()
            log.debug("group is ready", extra={"group": group.name.lower()})
            return not over.done() and not stopped.done()
        finally:
            await tasks.cancel(ready, over, stopped)

    def _launch(self, part: Runnable) -> _Running:
        running = _Running(part)
        running.task.add_done_callback(
            lambda _: None if running.stop.is_set() else self._over.set()
        )
        return running

    async def _over_or_never(self) -> None:
        await self._over.wait()

    def _failure(self) -> BaseException | None:
        found = (one.failure() for group in Group for one in self._running[group])
        return next((failure for failure in found if failure is not None), None)

    def _grace_for(self, group: Group, failure: BaseException | None) -> float:
        # Whoever leads now may start within seconds: nothing of ours may go on writing.
        deposed = isinstance(failure, errors.LeadershipLost)
        return 0.0 if deposed and group is Group.LEADER else self._grace

    async def _stop(self, group: Group, grace: float) -> None:
        """Ask a group to stop and wait; cancel what takes longer than `grace`."""
        running = self._running[group]
        for one in running:
            one.stop.set()
        pending = [one.task for one in running if not one.task.done()]
        if not pending:
            return
        try:
            await within(self._clock, grace, _ended(pending))
        except TimeoutError:
            late = [one.part.name for one in running if not one.task.done()]
            log.warning("parts did not stop in time", extra={"parts": late})
            await tasks.cancel(*pending)


async def _all_ready(parts: Sequence[Runnable]) -> None:
    await asyncio.gather(*(part.ready() for part in parts))


async def _ended(pending: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(pending)
