"""
One kind of object, watched: a cache that ends right, whatever happens to the watch.

Here: list, watch, and what to do when either breaks. Elsewhere: the store (`cache`), the
requests (`client`), what a change leads to (`controller`).

A watch that ends, is cut or falls silent is resumed where it stopped; after any other trouble,
and above all after 410 Expired, everything is listed again and what vanished meanwhile is
reported as deleted. However it fails, the server sees at most a few requests a second: pauses
grow from `Timing.backoff` and start over only after a watch that lasted. The loop ends with its
process, never by giving up. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from cdi.kube import errors, objects, tasks
from cdi.kube.backoff import Backoff
from cdi.kube.cache import Cache, Change, IndexFunction
from cdi.kube.client import PAGE, Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object, Objects
from cdi.kube.resource import Resource
from cdi.kube.wire import WatchEvent

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Change], None]
Transform: TypeAlias = Callable[[Object], Object]

_RETRIES = Backoff()
_MISSING = (errors.NotFound, errors.Forbidden)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long watches last and how patiently they are mended."""

    # The server ends a watch after this long, so that watches spread over its replicas.
    # A tenth is taken off at random, lest all watches of a process end together.
    watch: float = 300.0
    # A server that has not ended the watch this long after it should have is not there.
    overtime: float = 30.0
    # Servers that send bookmarks do so about once a minute; three missing ones mean silence
    # of the broken kind. Only held against servers that have sent one.
    silence: float = 200.0
    # A watch that lasted this long shows that the server is well.
    steady: float = 30.0
    backoff: Backoff = _RETRIES


class Informer:
    """Keeps `cache` in step with the server while `run` runs.

    `transform` sees, and may change, every object before anybody else; by default it makes it
    small. Handlers are plain functions called in the loop: they note down keys. A kind that is
    `optional` may be one that nobody serves, or that is not for us to see: it has no objects until
    that changes.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        indexes: Mapping[str, IndexFunction] | None = None,
        transform: Transform = objects.compact,
        metadata_only: bool = False,
        optional: bool = False,
        timing: Timing | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = f"informer {resource}"
        self.resource = resource
        self.cache = Cache(indexes)
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._transform = transform
        self._metadata_only = metadata_only
        self._optional = optional
        self._timing = timing or Timing()
        self._clock = clock or SystemClock()
        self._chance = chance
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._version = ""  # where the next watch starts; empty: list first
        self._failures = 0
        self._trouble: errors.KubeError | None = None

    def on_change(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and at once for what is there already."""
        self._handlers.append(handler)
        for obj in self.cache.list():
            _tell(handler, Change(None, obj))

    @property
    def synced(self) -> bool:
        """Whether the cache has held a complete list at least once."""
        return self._synced.is_set()

    @property
    def trouble(self) -> errors.KubeError | None:
        """Why the last attempt to follow the server failed; None once another one is made."""
        return self._trouble

    @property
    def position(self) -> str:
        """The resourceVersion up to which the cache is known to be complete; empty where the
        next thing to do is to list."""
        return self._version

    async def ready(self) -> None:
        """Return once the cache holds a complete list and handlers have been told of it."""
        await self._synced.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the server until `stop` is set."""
        await tasks.until(stop, self._follow())

    async def _follow(self) -> None:
        while True:
            pause = await self._follow_once()
            await self._clock.sleep(pause)
            self._trouble = None

    async def _follow_once(self) -> float:
        """List if need be and watch until the watch ends; return how long to pause then."""
        began: float | None = None
        try:
            if not self._version:
                await self._list()
            began = self._clock.now()
            await self._watch()
        except errors.KubeError as error:
            return self._pause_after(error, began)
        return self._pause_after(None, began)

    def _pause_after(self, error: errors.KubeError | None, began: float | None) -> float:
        """Settle what the next round starts from, and when."""
        lasted = 0.0 if began is None else self._clock.now() - began
        if lasted >= self._timing.steady:
            self._failures = 0
            if error is None:
                return 0.0
        self._failures += 1
        self._trouble = error
        if error is not None and not _resumable(error):
            self._version = ""
        pause = self._timing.backoff.pause(self._failures, self._chance)
        wish = error.retry_after if isinstance(error, errors.ApiError) else None
        pause = max(pause, min(wish or 0.0, self._timing.backoff.longest))
        self._report(error, pause)
        return pause

    def _report(self, error: errors.KubeError | None, pause: float) -> None:
        # The first failures are everyday life: a rolling restart, a compaction.
        expected = self._optional and isinstance(error, _MISSING)
        lasts = error is not None and self._failures > 2 and not expected
        level = logging.WARNING if lasts else logging.DEBUG
        log.log(
            level,
            "watch is resumed" if self._version else "list is repeated",
            extra={
                "resource": str(self.resource),
                "pause": round(pause, 3),
                "failures": self._failures,
                "cause": str(error) if error else "the server ended it early",
            },
        )

    async def _list(self) -> None:
        try:
            everything, version = await self._read_pages(PAGE)
        except errors.Expired:
            # The moment was compacted away between two pages: ask for all in one answer.
            everything, version = await self._read_pages(0)
        except _MISSING:
            if self._optional:
                self._tell_all(self.cache.replace([]))
                self._synced.set()
            raise
        self._tell_all(self.cache.replace(everything))
        self._version = version
        self._synced.set()

    async def _read_pages(self, limit: int) -> tuple[Objects, str]:
        everything: Objects = []
        version = ""
        pages = self._client.pages(
            self.resource,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            limit=limit,
            metadata_only=self._metadata_only,
        )
        async with aclosing(pages):
            async for page in pages:
                # Page by page, so that never more than one page is held in full.
                everything.extend(self._transformed(item) for item in page.items)
                version = page.resource_version
        return everything, version

    async def _watch(self) -> None:
        seconds = self._timing.watch * (1 - 0.1 * self._chance())
        stream = self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._version,
            labels=self._labels,
            fields=self._fields,
            timeout_seconds=round(seconds),
            metadata_only=self._metadata_only,
        )
        end = self._clock.now() + seconds + self._timing.overtime
        patience = _Patience(self._clock, end, self._timing.silence)
        async with aclosing(stream):
            await patience.bear(self._take_all(stream, patience))

    async def _take_all(self, stream: AsyncIterator[WatchEvent], patience: _Patience) -> None:
        async for event in stream:
            patience.heard(event)
            self._take(event)

    def _take(self, event: WatchEvent) -> None:
        version = objects.resource_version(event.object)
        if event.type != "BOOKMARK":
            obj = self._transformed(event.object)
            deleted = event.type == "DELETED"
            self._tell_all(self.cache.remove(obj) if deleted else self.cache.upsert(obj))
        self._version = version or self._version

    def _transformed(self, obj: Object) -> Object:
        try:
            return self._transform(obj)
        except Exception:  # one odd object must not end the watch of all others
            log.exception("transform failed", extra={"resource": str(self.resource)})
            return obj

    def _tell_all(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for handler in self._handlers:
                _tell(handler, change)


def _tell(handler: Handler, change: Change) -> None:
    try:
        handler(change)
    except Exception:  # nor must one odd handler
        log.exception("change handler failed")


def _resumable(error: errors.KubeError) -> bool:
    """Whether a watch may go on where it stopped; what a server says otherwise may mean that it
    does not know that place any more."""
    return isinstance(error, errors.ConnectionFailed | errors.TooManyRequests | errors.Unavailable)


class _Patience:
    """How long one watch may be silent: until its end, and less once there was a bookmark."""

    def __init__(self, clock: Clock, end: float, silence: float) -> None:
        self._clock = clock
        self._end = end
        self._silence = silence
        self._until = end
        self._bookmarks = False

    def heard(self, event: WatchEvent) -> None:
        self._bookmarks = self._bookmarks or event.type == "BOOKMARK"
        if self._bookmarks:
            self._until = min(self._end, self._clock.now() + self._silence)

    async def bear(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end, or raise TimedOut when patience does."""
        # One alarm for the whole watch: one per event would cost more than the event.
        task = asyncio.ensure_future(work)
        alarm = asyncio.ensure_future(self._run_out())
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise errors.TimedOut("the watch has fallen silent")
            task.result()
        finally:
            await tasks.cancel(task, alarm)

    async def _run_out(self) -> None:
        while (left := self._until - self._clock.now()) > 0:
            # The moment may come nearer while we sleep, but never by more than this.
            await self._clock.sleep(min(left, self._silence))
