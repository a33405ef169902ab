"""
A token bucket: so many a second, with a reserve for bursts.

Here: the arithmetic on times that the caller hands in, no waiting. Used for requests, for work
queues and against floods of events.
"""

from __future__ import annotations


class TokenBucket:
    """`rate` tokens a second, at most `burst` kept. Starts full."""

    def __init__(self, rate: float, burst: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("a token bucket needs a positive rate and room for one token")
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at: float | None = None

    def reserve(self, now: float) -> float:
        """Take one token, on credit if need be; return how many seconds to wait for it.

        Whoever reserves first waits least, so callers that all sleep as told are served in
        order.
        """
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def take(self, now: float) -> bool:
        """Take one token if there is one now; return whether there was."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now if self._at is None else max(now, self._at)
