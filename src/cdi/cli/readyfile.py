"""A file that says that a process is ready, for probes of a container without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def showing(ready_file: Path) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Caches are full once this runs, and a follower is ready, too."""

    @contextmanager
    def shown() -> Iterator[None]:
        ready_file.touch()
        try:
            yield
        finally:
            ready_file.unlink(missing_ok=True)

    async def show(stop: asyncio.Event) -> None:
        with shown():
            await stop.wait()

    return show
