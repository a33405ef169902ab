"""
How patient one source is: when a request that has failed is made again, and when it is given up.

A server that has refused requests by their rate (429) is asked for fewer, and larger ones: a
refusal doubles the time between two requests of all threads together, and what one of them asks
for at least. Durations are in seconds, of a monotonic clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cdi.images import errors
from cdi.images.http import retry
from cdi.images.http.failures import EndedEarly

log = logging.getLogger(__name__)

_FIRST, _LONGEST = 0.25, 8.0  # seconds between two requests
_LEAST, _MOST = 1 << 20, 8 << 20  # bytes of one


@dataclass(slots=True)
class Patience:
    """When requests of the source `shown` are made again. Any thread may call."""

    shown: str
    policy: retry.Policy
    wait: Callable[[float], bool]  # sleeps; returns early, with True, once cancelled
    clock: Callable[[], float]
    rng: Callable[[], float]
    repeated: int = 0  # requests that were made again
    _lock: threading.Lock = field(default_factory=threading.Lock)
    restraint: Restraint | None = None  # once the server has refused by rate

    def budget(self, *, opening: bool = False) -> retry.Budget:
        """How often a reader may fail before an error is final."""
        tries = self.policy.opening_tries if opening else self.policy.tries
        return retry.Budget(self.policy, tries, self.rng)

    def pause(self, budget: retry.Budget, failure: errors.SourceError) -> None:
        """Wait before the next try; raise the error that ends the work if there is none."""
        delay = budget.pause_after(failure)
        if delay is None:
            if budget.only(EndedEarly):
                raise errors.TruncatedSource(str(failure)) from failure
            raise failure
        log.info(
            "A request has failed and is made again",
            extra={"url": self.shown, "reason": failure.reason, "delay": delay},
        )
        with self._lock:
            self.repeated += 1
        self.sleep(delay)

    def take_turn(self, restraint: Restraint) -> None:
        """Wait until a request may be made. Raises Cancelled."""
        if delay := restraint.delay():
            self.sleep(delay)

    def sleep(self, delay: float) -> None:
        """Raises Cancelled."""
        if self.wait(delay):
            raise errors.Cancelled("the transfer was asked to stop")

    def refused_by_rate(self, before: Restraint | None) -> None:
        """Space requests more; not for one that was made `before` others were refused already."""
        if self.restraint is before:
            self.restraint = before.tightened() if before else Restraint(self.clock)


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
