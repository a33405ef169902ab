"""
Lines in a worker's log that say how far it is, for whoever follows it.

One line when the work begins to move, then one every `EVERY` seconds; a source from which nothing
comes is told as such. Nothing here waits, or decides anything.
"""

from __future__ import annotations

import logging
from typing import Final

from cdi.images.transfer.meter import Meter

log = logging.getLogger(__name__)

EVERY: Final = 10.0  # seconds


class ProgressLog:
    """Looks at a meter whenever it is told to, and logs what is worth it."""

    def __init__(self, meter: Meter, now: float) -> None:
        self._meter, self._told_at = meter, now
        self._fetched = 0

    def look(self, now: float) -> None:
        """Log how far the work is at `now`, in seconds of any clock that never goes back."""
        fetched = self._meter.fetched
        first = fetched > 0 and self._fetched == 0
        if not first and now - self._told_at < EVERY:
            return
        if fetched == self._fetched:
            quiet = {"seconds": round(now - self._told_at)}
            log.info("nothing came from the source", extra={**quiet, **self._fields()})
        else:
            log.info("progress", extra=self._fields())
        self._told_at, self._fetched = now, fetched

    def _fields(self) -> dict[str, int | float]:
        total, position = self._meter.total, self._meter.position
        share = {"percent": round(min(100.0, 100 * position / total), 2)} if total else {}
        return {"fetched": self._meter.fetched, "position": position, **share}
