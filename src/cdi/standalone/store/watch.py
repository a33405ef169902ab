"""
A watch: the changes of one resource, in order, as they become durable.

Here: the queue between the store and one reader, bounded, and the hub that feeds all of them.
Elsewhere: which of the changes a client may see, and how they are put on the wire.

Everything runs on the event loop. A reader that lets LIMIT changes pile up gets errors.Overrun
and has to list again: memory stays bounded however slow a client is.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

from cdi.standalone.store import errors
from cdi.standalone.store.record import Change

LIMIT = 10_000  # changes; bodies are shared with the index, so the queue itself is small


class Watch:
    """One reader's queue. `revision` is the newest revision that the reader has seen or passed."""

    def __init__(self, revision: int, limit: int = LIMIT) -> None:
        self.revision = revision
        self._newest = revision
        self._limit = limit
        self._changes: deque[Change] = deque()
        self._ready = asyncio.Event()
        self._overrun = False
        self._closed = False

    def feed(self, changes: Iterable[Change], revision: int) -> None:
        """Hand over changes; `revision` is how far the store has come."""
        self._changes.extend(changes)
        self._newest = revision
        if len(self._changes) > self._limit:
            self._overrun = True
            self._changes.clear()
        if self._changes or self._overrun:
            self._ready.set()
        else:
            self.revision = revision

    def replay(self, past: list[Change]) -> None:
        """Put the past in front of what has been fed meanwhile; before the first read only."""
        self._changes.extendleft(reversed(past))
        if past:
            self._ready.set()

    def close(self) -> None:
        """No more changes come; the reader gets an empty batch."""
        self._closed = True
        self._ready.set()

    async def batch(self) -> list[Change]:
        """Wait for changes and take all of them; empty once the watch has been closed."""
        await self._ready.wait()
        if self._overrun:
            raise errors.Overrun("the watch fell too far behind; list again")
        taken = list(self._changes)
        self._changes.clear()
        if not self._closed:
            self._ready.clear()
        if taken:
            self.revision = max(taken[-1].revision, self._newest)
        return taken


class Hub:
    """All open watches, by resource; the empty resource means every resource."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._closed = False

    def open(self, resource: str, revision: int) -> Watch:
        """Register a watch that starts after `revision`."""
        watch = Watch(revision)
        if self._closed:
            watch.close()
        self._watches.setdefault(resource, set()).add(watch)
        return watch

    def drop(self, resource: str, watch: Watch) -> None:
        """Forget a watch; safe to repeat."""
        self._watches.get(resource, set()).discard(watch)

    def publish(self, changes: list[Change], revision: int) -> None:
        """Hand a durable batch to everybody it concerns."""
        for resource, watches in self._watches.items():
            concerned = [c for c in changes if not resource or c.key.resource == resource]
            for watch in watches:
                watch.feed(concerned, revision)

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.close()
