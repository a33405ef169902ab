"""
The one task that reacts to changes inside the API server: definitions, namespaces, ownership,
aggregated roles, quotas;
and, when it has been quiet for a while, lets old events go.

Here: the loop, what it hands to whom, and what happens when a step fails. Elsewhere: the steps
(`definitions`, `namespaces`, `garbage`, `roles`,
`quotastatus`). A failed step is tried again after RETRY seconds;
a watch that fell behind starts over from the current state. The loop ends only with its server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cdi.standalone.apiserver import definitions, expiry, namespaces, roles
from cdi.standalone.apiserver.definitions import Definitions
from cdi.standalone.apiserver.garbage import Garbage
from cdi.standalone.apiserver.namespaces import Namespaces
from cdi.standalone.apiserver.quotastatus import QuotaStatus
from cdi.standalone.apiserver.roles import Roles
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.apiserver.timestamps import Clock
from cdi.standalone.store import errors
from cdi.standalone.store.record import Change, Verb
from cdi.standalone.store.store import Store
from cdi.standalone.store.watch import Watch

RETRY = 1.0  # seconds
EXPIRE_EVERY = 300.0  # seconds between two looks at old events

Step = Callable[[str], Awaitable[None]]

_logger = logging.getLogger(__name__)


class Housekeeping:
    """Runs until cancelled."""

    def __init__(
        self,
        store: Store,
        defined: Definitions,
        spaces: Namespaces,
        garbage: Garbage,
        aggregated: Roles,
        quotas: QuotaStatus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._clock = clock
        self._expire_at = 0.0  # on the loop's clock, like the next one
        self._retry_at = 0.0
        self._definitions = defined
        self._namespaces = spaces
        self._garbage = garbage
        self._roles = aggregated
        self._quotas = quotas
        self._again: dict[tuple[Step, str], None] = {}

    async def run(self) -> None:
        """Settle everything once, then follow the changes."""
        while True:
            try:
                async with self._store.watch("") as watch:
                    await self._settle_all()
                    await self._follow(watch)
                    return
            except errors.Overrun:
                _logger.info("housekeeping fell behind and starts over")
            except Exception:
                # A fault in one step must not end ownership and namespaces for all.
                _logger.exception("housekeeping broke and starts over")
                await asyncio.sleep(RETRY)

    async def _settle_all(self) -> None:
        for key, _ in self._store.entries(definitions.RESOURCE):
            await self._step(self._definitions.settle, key.name)
        for key, _ in self._store.entries(namespaces.RESOURCE):
            await self._step(self._namespaces.settle, key.name)
        await self._step(self._roles.settle, "")
        for namespace in self._quotas.namespaces():
            await self._step(self._quotas.settle, namespace)
        await self._collect(self._garbage.load())

    async def _follow(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() >= self._expire_at:
                self._expire_at = loop.time() + EXPIRE_EVERY
                await self._expire()
            if self._again and loop.time() >= self._retry_at:
                self._retry_at = loop.time() + RETRY
                again, self._again = self._again, {}
                for step, name in again:
                    await self._step(step, name)
            batch: list[Change] | None = None
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY if self._again else EXPIRE_EVERY):
                    batch = await watch.batch()
            if batch is not None:
                if not batch:
                    return
                await self._react(batch)

    async def _expire(self) -> None:
        """Remove the events that nobody has reported for a while."""
        for key, entry in list(expiry.due(self._store, self._clock())):
            with suppress(errors.StoreError):  # changed meanwhile, or tried again next time
                await self._store.delete(key, entry.document(), entry.revision)

    async def _react(self, batch: list[Change]) -> None:
        for name in dict.fromkeys(filter(None, map(self._definition_of, batch))):
            await self._step(self._definitions.settle, name)
        if any(change.key.resource == roles.RESOURCE for change in batch):
            await self._step(self._roles.settle, "")
        await self._collect(self._garbage.observe(batch))
        for name in dict.fromkeys(filter(None, map(self._namespace_of, batch))):
            await self._step(self._namespaces.settle, name)
        self._quotas.forget(batch)
        for name in self._quotas.namespaces() & {change.key.namespace for change in batch}:
            await self._step(self._quotas.settle, name)

    async def _collect(self, uids: list[str]) -> None:
        """Side by side, so that many deletions share the disk's syncs."""
        await asyncio.gather(*(self._step(self._garbage.settle, uid) for uid in uids))

    def _definition_of(self, change: Change) -> str:
        """The definition that a change concerns, if any."""
        if change.key.resource == definitions.RESOURCE:
            return change.key.name
        if change.verb is Verb.DELETED and self._definitions.waiting(change.key.resource):
            return change.key.resource
        return ""

    def _namespace_of(self, change: Change) -> str:
        """The namespace that a change concerns, if any."""
        if change.key.resource == namespaces.RESOURCE:
            return change.key.name
        if change.verb is Verb.DELETED:
            # Its namespace may be waiting for this, or may want the object back.
            return change.key.namespace
        return ""

    async def _step(self, step: Step, name: str) -> None:
        try:
            await step(name)
        except (ApiError, errors.StoreError) as error:
            _logger.warning("housekeeping of %s failed, it is tried again: %s", name, error)
            self._again[step, name] = None
