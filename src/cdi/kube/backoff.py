"""
How long to wait before trying again: exponential, bounded, with jitter.

Here: one value and one counter. The pause itself is the caller's, on its clock. Seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """First pause, growth per failure, longest pause, and the share that is random.

    Jitter keeps a fleet of clients from knocking in step after the server was away: a pause of
    p seconds becomes anything between p and p * (1 + jitter).
    """

    first: float = 0.3
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.5

    def pause(self, failures: int, chance: Callable[[], float] = random.random) -> float:
        """Seconds to wait after the `failures`-th failure in a row; 1 is the first."""
        # The exponent is bounded: a float overflows after a thousand doublings.
        grown = self.first * self.factor ** min(failures - 1, 64)
        return min(self.longest, grown) * (1 + self.jitter * chance())
