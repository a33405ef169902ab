"""
How many connections to use at once, found by trying.

Some servers give each connection a fixed rate, or are far away: more connections mean more bytes.
Others, and a near disk, are as fast with two. So begin with few, look at the rate every now and
then and double while that pays. When it does not, look again after a rest, as new connections to
far servers take a while to become fast. Where the time goes into decoding or writing, and not into
waiting for bytes, more connections only get into each other's way. No I/O and no clock of its own.
"""

from __future__ import annotations

START = 2
WINDOW = 0.25  # seconds over which a rate is measured
PAYS = 1.25  # doubling must bring at least this factor
PAUSE = 2.0  # seconds until the rate is looked at again after more did not pay
WAITING = 0.5  # share of the time that must go into waiting for bytes, or else nothing is changed


class Pace:
    """Decides the number of connections from the bytes that have arrived by a time."""

    def __init__(self, most: int, now: float) -> None:
        self.count = min(START, most)
        self._most = most
        self._since, self._bytes, self._waited = now, 0, 0.0
        self._best = 0.0
        self._growing = self.count < most

    def look(self, now: float, received: int, waited: float, waiters: int) -> int:
        """Return how many connections to use from `now` on.

        Since the start `received` bytes have come, and `waiters` threads, which do the rest of the
        work as well, have together waited for them for `waited` seconds.
        """
        passed = now - self._since
        if not self._growing or passed < WINDOW:
            if passed <= 0:  # resting: what comes meanwhile does not count
                self._bytes, self._waited = received, waited
            return self.count
        rate = (received - self._bytes) / passed
        share = (waited - self._waited) / (passed * max(1, waiters))
        self._since, self._bytes, self._waited = now, received, waited
        if share < WAITING:
            return self.count
        if rate > self._best * PAYS:
            self._best = rate
            self.count = min(self.count * 2, self._most)
            self._growing = self.count < self._most
        elif received:
            self._best = max(self._best, rate)
            self._since = now + PAUSE
        return self.count
