"""One at a time, for each name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Locks:
    """A lock for each name that is in use; used by one event loop."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._wanted: dict[str, int] = {}
        self._running: set[asyncio.Future[Any]] = set()

    async def holding(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` when nobody else does anything about `name`.

        It is finished also where the caller is cancelled: what runs in threads cannot be stopped,
        and nobody may begin something else meanwhile.
        """
        task = asyncio.ensure_future(self._locked(name, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _locked(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        async with self._lock(name):
            return await work()

    @asynccontextmanager
    async def _lock(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._wanted[name] = self._wanted.get(name, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._wanted[name] -= 1
            if not self._wanted[name]:
                del self._wanted[name], self._locks[name]
