"""
How many connections to use at once, found by trying.

Some servers give each connection a fixed rate, or are far away: more connections mean more bytes.
Others, and a near disk, are as fast with two. So begin with few, look at the rate every now and
then, double while that pays, and stay when it no longer does. No I/O and no clock of its own.
"""

from __future__ import annotations

START = 2
WINDOW = 0.3  # seconds over which a rate is measured
PAYS = 1.25  # doubling must bring at least this factor


class Pace:
    """Decides the number of connections from the bytes that have arrived by a time."""

    def __init__(self, most: int, now: float) -> None:
        self.count = min(START, most)
        self._most = most
        self._since, self._bytes = now, 0
        self._best = 0.0
        self._growing = self.count < most

    def look(self, now: float, received: int) -> int:
        """Return how many connections to use from `now` on, `received` bytes after the start."""
        if not self._growing or now - self._since < WINDOW:
            return self.count
        rate = (received - self._bytes) / (now - self._since)
        self._since, self._bytes = now, received
        if rate > self._best * PAYS:
            self._best = rate
            self.count = min(self.count * 2, self._most)
            self._growing = self.count < self._most
        elif received:
            self._growing = False
        return self.count
