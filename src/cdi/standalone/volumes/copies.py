"""
Long copies beside the controllers: each in a thread, found again by name, ended when we are.

A controller asks for a copy and goes on; once it is done, or has failed, its key is looked at
again. A copy that is cut short leaves nothing (`cdi.volumes`), and is begun anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_AT_ONCE = 4


class Copies:
    """`name` and `run` make it a part for `kube.manager`."""

    name = "copies"

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._running: dict[str, asyncio.Future[None]] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy")

    def done(self, name: str, copy: Callable[[], object], tell: Callable[[], None]) -> bool:
        """Whether a copy of this name has been made, having it begun if it has not.

        Raises what has made it fail, once; the next call begins it again. `tell` is called when
        there is news.
        """
        running = self._running.get(name)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, _only(copy))
            self._running[name] = running
            running.add_done_callback(lambda _: tell())
        if not running.done():
            return False
        del self._running[name]
        running.result()
        return True

    def ended(self, name: str) -> bool:
        """Whether nothing of this name is being copied any longer; how it ended is forgotten."""
        running = self._running.get(name)
        if running is None:
            return True
        if running.done():
            del self._running[name]
            running.exception()  # looked at: nobody else will
            return True
        return False

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the end, and have all copies end then."""
        await stop.wait()
        self.cancel.set()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._threads.shutdown()


def _only(copy: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        copy()

    return run
