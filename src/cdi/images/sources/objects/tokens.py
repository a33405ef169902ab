"""
A bearer token that is renewed before it expires, shared by all threads of one source.

Durations and moments are in seconds; moments are Unix time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cdi.images import errors

log = logging.getLogger(__name__)

MARGIN = 300.0  # renewed so long before its end, or at half of a shorter life
YOUNG = 30.0  # a token that is refused at this age would be refused again


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    issued: float
    expires: float

    def stale(self, now: float) -> bool:
        """Whether it is time for another one."""
        return now >= self.expires - min(MARGIN, (self.expires - self.issued) / 2)


class Keeper:
    """Holds one token; `grant` fetches another, and raises SourceError."""

    def __init__(self, grant: Callable[[], Token], now: Callable[[], float] = time.time) -> None:
        self._grant = grant
        self._now = now
        self._lock = threading.Lock()
        self._token: Token | None = None

    def value(self) -> str:
        """Return a token that is good for a while yet. Raises SourceError."""
        with self._lock:
            if self._token is None or self._token.stale(self._now()):
                self._token = self._renewed()
            return self._token.value

    def refused(self) -> bool:
        """The service refuses the token: whether another one may do better."""
        with self._lock:
            if self._token is None:
                return True  # another thread has just put it away
            if self._now() - self._token.issued < YOUNG:
                return False
            self._token = None
            return True

    def _renewed(self) -> Token:
        try:
            return self._grant()
        except errors.SourceError as failure:
            if self._token is None or self._now() >= self._token.expires:
                raise
            log.warning("A token could not be renewed yet", extra={"reason": failure.reason})
            return self._token
