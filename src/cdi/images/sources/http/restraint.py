"""
What a server is asked that has refused requests by their rate (429): fewer, and larger ones.

A refusal doubles the time between two requests of all threads together, and what one of them asks
for at least. Nothing here waits; seconds are of a monotonic clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_FIRST, _LONGEST = 0.25, 8.0  # seconds between two requests
_LEAST, _MOST = 1 << 20, 8 << 20  # bytes of one


class Restraint:
    """How requests are spaced since the last refusal. Any thread may call."""

    def __init__(
        self, clock: Callable[[], float], interval: float = _FIRST, request: int = _LEAST
    ) -> None:
        self.request = request  # bytes that one request should bring at least
        self._clock, self._interval = clock, interval
        self._lock = threading.Lock()
        self._next = clock()  # whoever was refused waits anyway

    def delay(self) -> float:
        """Take the next turn; return how many seconds it is until then."""
        with self._lock:
            now = self._clock()
            at = max(now, self._next)
            self._next = at + self._interval
        return at - now

    def tightened(self) -> Restraint:
        """Return what holds after one more refusal."""
        interval, request = min(2 * self._interval, _LONGEST), min(2 * self.request, _MOST)
        return Restraint(self._clock, interval, request)
