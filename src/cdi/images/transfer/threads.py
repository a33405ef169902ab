"""
The threads of a transfer: how many fetch at once, when they stop, what they allocate.

Some servers give each connection a fixed rate, or are far away: more connections mean more bytes.
Others, and a near disk, are as fast with two. So `Pace` begins with few, looks at the rate every
now and then and doubles while that pays. When it does not, it looks again after a rest, as new
connections to far servers take a while to become fast. Where the time goes into decoding or
writing, and not into waiting for bytes, more connections only get into each other's way.

By default glibc gives freed buffers of a MiB back to the kernel at once and asks for them again a
moment later; zeroing those pages took a third of the system time of an import. Keeping them
(`keep_buffers`) costs some resident memory, which stays bounded since the number of buffers is.
"""

from __future__ import annotations

import ctypes
import threading
import time

START = 2
WINDOW = 0.25  # seconds over which a rate is measured
PAYS = 1.25  # doubling must bring at least this factor
PAUSE = 2.0  # seconds until the rate is looked at again after more did not pay
WAITING = 0.5  # share of the time that must go into waiting for bytes, or else nothing is changed

_TICK = 0.25  # seconds between two looks at the parent

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # malloc.h

_SETTINGS = {
    _MMAP_THRESHOLD: 32 << 20,
    _TRIM_THRESHOLD: 64 << 20,
    _TOP_PAD: 1 << 20,
    # Every thread would otherwise keep buffers of its own.
    _ARENA_MAX: 4,
}


class Pace:
    """Decides the number of connections from the bytes that have arrived by a time: no clock."""

    def __init__(self, most: int, now: float, start: int = START) -> None:
        self.count = min(start, most)
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


class Halt(threading.Event):
    """An event that is also set when its parent is: stop one attempt, or everything."""

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


def keep_buffers() -> None:
    """Tell the allocator once, at the start of a process that runs transfers.

    Elsewhere than on glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _SETTINGS.items():
            mallopt(parameter, value)
