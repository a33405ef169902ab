"""
When to try again, and after how long: pure counting, no waiting of its own.

Durations are in seconds. A budget belongs to one reader; it is not shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cdi.images import errors

T = TypeVar("T")

# A connection that brought this much was worth having: the next one is made without a pause.
# Less does not stop the work, but a server that dribbles is not to be hammered.
WORTHWHILE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient to be. The defaults bridge a server's restart, about half a minute."""

    tries: int = 7  # in a row without a new byte, once bytes have flowed
    opening_tries: int = 4  # before anything is known of the source: a typing error should show
    base: float = 0.5  # the first pause; each further one doubles it
    ceiling: float = 30.0  # the longest pause of our own making
    patience: float = 120.0  # the longest Retry-After that is waited for


class Budget:
    """Consecutive failures that are left before an error becomes final."""

    def __init__(self, policy: Policy, tries: int, rng: Callable[[], float]) -> None:
        self._policy = policy
        self._tries = tries
        self._rng = rng
        self._progress = 0
        self._failures: list[errors.TransferError] = []

    def progressed(self, count: int) -> None:
        """`count` new bytes have arrived: failures start to count anew."""
        self._progress += count
        self._failures.clear()

    def pause_after(self, failure: errors.TransferError) -> float | None:
        """Return how long to wait before the next try, None where there is none left."""
        brought, self._progress = self._progress, 0
        self._failures.append(failure)
        wish = getattr(failure, "retry_after", None)
        if len(self._failures) >= self._tries or (wish or 0.0) > self._policy.patience:
            return None
        if brought >= WORTHWHILE and wish is None:
            return 0.0
        return max(self._backoff(), wish or 0.0)

    def only(self, kind: type[errors.TransferError]) -> bool:
        """Whether every failure since the last progress was of one kind."""
        return all(isinstance(failure, kind) for failure in self._failures)

    def _backoff(self) -> float:
        full = self._policy.base * 2.0 ** (len(self._failures) - 1)
        # Half of it is random, so that a thousand importers do not come back at one moment.
        return min(full, self._policy.ceiling) * (0.5 + self._rng() / 2)


def repeated(
    work: Callable[[], T],
    retried: tuple[type[errors.TransferError], ...],
    budget: Budget,
    pause: Callable[[errors.TransferError, float], None],
) -> T:
    """Return what `work` gives, tried again after `retried` errors as far as `budget` goes.

    `pause` is told the failure and how long to wait; it raises Cancelled to end it all.
    """
    while True:
        try:
            return work()
        except retried as error:
            failure = error
            delay = budget.pause_after(error)
            if delay is None:
                raise
        pause(failure, delay)
