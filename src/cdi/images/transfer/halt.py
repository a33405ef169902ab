"""An event that is also set when its parent is: stop one attempt, or everything."""

from __future__ import annotations

import threading
import time

_TICK = 0.25  # seconds between two looks at the parent


class Halt(threading.Event):
    """Set by its own `set`, or by `parent`."""

    def __init__(self, parent: threading.Event) -> None:
        super().__init__()
        self._parent = parent

    def is_set(self) -> bool:
        return super().is_set() or self._parent.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            if left <= 0:
                return False
            super().wait(left)
        return True
