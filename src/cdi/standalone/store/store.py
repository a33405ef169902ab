"""
The store: durable writes, reads from memory, watches.

Here: the check against the expected revision, group commit, publication. Elsewhere: SQL (`log`),
queues of watchers (`watch`), the lock on the directory (`lock`).

Everything but the SQL runs on one event loop, so there are no locks: a batch is checked and
numbered against the index, written in the writer's thread, and only after its COMMIT has returned
do index, watches and callers hear of it, in revision order. Writes that arrive meanwhile form the
next batch and share its fsync. Nobody can read what might still be lost.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cdi.standalone.store import errors
from cdi.standalone.store.log import Log
from cdi.standalone.store.record import Change, Document, Entry, Key, Verb, encode
from cdi.standalone.store.watch import Hub, Watch

WINDOW = 10_000  # revisions that lists and watches can reach back
COMPACT_EVERY = 1_000  # revisions between two compactions
BATCH = 512  # writes per transaction: bounds the time a batch blocks the next one

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Write:
    key: Key
    document: Document
    expect: int
    deletes: bool
    done: asyncio.Future[Entry]

    def accept(self, entry: Entry) -> None:
        if not self.done.done():  # the caller may have been cancelled
            self.done.set_result(entry)

    def refuse(self, error: errors.StoreError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Store:
    """Open with `async with Store.open(path)`; all methods belong to that event loop."""

    def __init__(self, path: Path, window: int = WINDOW) -> None:
        self._path = path
        self._window = window
        self._index: dict[str, dict[tuple[str, str], Entry]] = {}
        self._touched: dict[str, int] = {}
        self._revision = 0
        self._horizon = 0
        self._compacted_at = 0
        self._queue: list[_Write] = []
        self._pump: asyncio.Task[None] | None = None
        self._hub = Hub()
        self._opened = self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, window: int = WINDOW) -> AsyncIterator[Self]:
        """The store at `path`, created when missing; closing waits for writes under way."""
        store = cls(path, window)
        await store.start()
        try:
            yield store
        finally:
            await store.stop()

    async def start(self) -> None:
        """Open the database and read the state into memory. Raises Unreadable, Newer, OSError."""
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._reader = ThreadPoolExecutor(1, "store-reader")
        try:
            await self._read()
        except sqlite3.Error as error:
            raise errors.Unreadable(self._path, error) from error
        finally:
            if not self._opened:
                self._writer.shutdown()
                self._reader.shutdown()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        self._log = await loop.run_in_executor(self._writer, Log, self._path)
        self._history = await loop.run_in_executor(self._reader, Log, self._path)
        for key, entry in self._log.current():
            self._index.setdefault(key.resource, {})[key.namespace, key.name] = entry
        self._revision = self._log.last()
        self._horizon = self._compacted_at = self._log.horizon()
        self._opened = True

    async def stop(self) -> None:
        """End the watches, finish the writes under way, close the database; safe to repeat."""
        if self._closed:
            return
        self._closed = True
        self._hub.close()
        if self._pump is not None:
            await self._pump
        self._writer.shutdown()
        self._reader.shutdown()
        self._history.close()
        self._log.close()

    @property
    def revision(self) -> int:
        """The newest durable revision."""
        return self._revision

    @property
    def horizon(self) -> int:
        """The oldest revision that lists and watches can start from."""
        return self._horizon

    def get(self, key: Key) -> Entry | None:
        """The current state of one object."""
        return self._index.get(key.resource, {}).get((key.namespace, key.name))

    def entries(self, resource: str, namespace: str = "") -> list[tuple[Key, Entry]]:
        """The current objects of a resource, in one namespace or in all, sorted by key."""
        found = [
            (Key(resource, *place), entry)
            for place, entry in self._index.get(resource, {}).items()
            if not namespace or place[0] == namespace
        ]
        found.sort(key=lambda item: item[0])
        return found

    def resources(self) -> list[str]:
        """The resources that have objects."""
        return [resource for resource, objects in self._index.items() if objects]

    async def entries_at(
        self, resource: str, namespace: str, revision: int
    ) -> list[tuple[Key, Entry]]:
        """Like entries(), as of an earlier revision. Raises Compacted or FutureRevision."""
        self._check_revision(revision)
        if self._touched.get(resource, self._revision) <= revision or revision == self._revision:
            return self.entries(resource, namespace)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._reader, self._history.state_at, resource, revision)
        self._check_revision(revision)  # it may have been compacted while we read
        return sorted(
            (item for item in found if not namespace or item[0].namespace == namespace),
            key=lambda item: item[0],
        )

    async def write(self, key: Key, document: Document, expect: int) -> Entry:
        """
        Create (`expect` 0) or replace (`expect` the revision last read) one object, durably.

        Raises Exists, Changed or WriteFailed; then nothing was written.
        """
        return await self._submit(key, document, expect, deletes=False)

    async def delete(self, key: Key, document: Document, expect: int) -> Entry:
        """Remove one object, durably; `document` is its last state. Raises like write()."""
        return await self._submit(key, document, expect, deletes=True)

    @asynccontextmanager
    async def watch(self, resource: str, since: int | None = None) -> AsyncIterator[Watch]:
        """
        The changes of `resource` (empty: of all) after `since`, by default after now.

        Raises Compacted or FutureRevision. History exists for single resources only.
        """
        since = self._revision if since is None else since
        self._check_revision(since)
        until = self._revision
        watch = self._hub.open(resource, until)
        try:
            if since < until:
                await self._replay(watch, resource, since, until)
            yield watch
        finally:
            self._hub.drop(resource, watch)

    async def _replay(self, watch: Watch, resource: str, since: int, until: int) -> None:
        loop = asyncio.get_running_loop()
        past = await loop.run_in_executor(
            self._reader, self._history.changes, resource, since, until
        )
        self._check_revision(since)  # it may have been compacted while we read
        watch.replay(past)

    def end_watches(self) -> None:
        """Close all watches, and those that come; reads and writes go on."""
        self._hub.close()

    def _check_revision(self, revision: int) -> None:
        if revision > self._revision:
            raise errors.FutureRevision(revision, self._revision)
        if revision < self._horizon:
            raise errors.Compacted(revision, self._horizon)

    async def _submit(self, key: Key, document: Document, expect: int, *, deletes: bool) -> Entry:
        if self._closed:
            raise errors.WriteFailed("the store is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Entry] = loop.create_future()
        self._queue.append(_Write(key, document, expect, deletes, done))
        if self._pump is None:
            self._pump = loop.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        """Commit batch after batch until nobody waits any more."""
        batch: list[_Write] = []
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                await self._commit(batch)
        except BaseException as error:
            # Whoever waits must hear of it, whatever it was.
            for write in (*batch, *self._queue):
                write.refuse(errors.WriteFailed(f"the state could not be saved: {error!r}"))
            self._queue.clear()
            raise
        finally:
            self._pump = None

    async def _commit(self, batch: list[_Write]) -> None:
        accepted = self._accept(batch)
        if not accepted:
            return
        changes = [change for _, change, _ in accepted]
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                self._writer, self._log.append, [(change, old) for _, change, old in accepted]
            )
        except (sqlite3.Error, OSError) as error:
            _logger.error("a batch of %d writes was refused: %s", len(changes), error)  # noqa: TRY400 (the cause travels with the exception)
            for write, _, _ in accepted:
                write.refuse(errors.WriteFailed(f"the state could not be saved: {error}"))
            return
        self._publish(changes)
        for write, change, _ in accepted:
            write.accept(Entry(change.revision, change.body))
        await self._compact()

    def _accept(self, batch: list[_Write]) -> list[tuple[_Write, Change, int]]:
        """Number the writes whose expectation holds; answer the others at once."""
        ahead: dict[Key, Entry | None] = {}
        accepted: list[tuple[_Write, Change, int]] = []
        revision = self._revision
        for write in batch:
            if write.done.cancelled():
                continue
            live = ahead[write.key] if write.key in ahead else self.get(write.key)
            found = live.revision if live else 0
            if found != write.expect:
                refusal = errors.Exists if not write.expect else errors.Changed
                write.refuse(refusal(f"{write.key.name} is at revision {found}"))
                continue
            revision += 1
            change = _change(write, live, revision)
            ahead[write.key] = None if write.deletes else Entry(revision, change.body)
            accepted.append((write, change, found))
        return accepted

    def _publish(self, changes: list[Change]) -> None:
        for change in changes:
            objects = self._index.setdefault(change.key.resource, {})
            place = (change.key.namespace, change.key.name)
            if change.verb is Verb.DELETED:
                del objects[place]
            else:
                objects[place] = Entry(change.revision, change.body)
            self._touched[change.key.resource] = change.revision
        self._revision = changes[-1].revision
        self._hub.publish(changes, self._revision)

    async def _compact(self) -> None:
        horizon = self._revision - self._window
        if horizon - self._compacted_at < COMPACT_EVERY:
            return
        self._compacted_at = horizon
        self._horizon = horizon  # first, so that no reader starts from what is about to go
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writer, self._log.compact, horizon)
        except sqlite3.Error as error:
            _logger.warning("the log could not be compacted, it will be tried again: %s", error)


def _change(write: _Write, live: Entry | None, revision: int) -> Change:
    previous = live.body if live else None
    verb = Verb.DELETED if write.deletes else Verb.MODIFIED if live else Verb.ADDED
    return Change(revision, verb, write.key, encode(write.document, revision), previous)
