"""
How a running import is shown: JSON for programs, here; lines or a bar for people (`terminal`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result


class Display(Protocol):
    """Shows one import. Used as a context manager while it runs."""

    interval: float  # seconds between two calls of `progress`

    def __enter__(self) -> Display: ...
    def __exit__(self, *_: object) -> None: ...
    def progress(self, meter: Meter) -> None: ...
    def done(self, result: Result, seconds: float) -> None: ...
    def failed(self, reason: str, message: str, *, permanent: bool) -> None: ...


class Throughput:
    """Rate and time left, from what has arrived since the first update."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._base = 0

    def update(self, meter: Meter) -> tuple[float, float | None]:
        """Return bytes a second and seconds left; None where nobody can know."""
        if self._began is None:
            self._began, self._base = self._clock(), meter.fetched
        passed = self._clock() - self._began
        rate = (meter.fetched - self._base) / passed if passed > 0 else 0.0
        if meter.total is None or rate <= 0:
            return rate, None
        return rate, max(0.0, (meter.total - meter.position) / rate)


class JsonLines:
    """One JSON object a line, on standard output."""

    interval = 0.5

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._throughput = Throughput()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def progress(self, meter: Meter) -> None:
        rate, left = self._throughput.update(meter)
        self._print(
            {
                "event": "progress",
                "stage": meter.stage,
                "position": meter.position,
                "total": meter.total,
                "fetched": meter.fetched,
                "bytesPerSecond": round(rate),
                "secondsLeft": None if left is None else round(left, 1),
            }
        )

    def done(self, result: Result, seconds: float) -> None:
        self._print(
            {
                "event": "done",
                "reason": "Completed",
                "format": result.format,
                "compression": result.compression,
                "virtualSize": result.virtual_size,
                "size": result.size,
                "bytesFetched": result.fetched,
                "bytesWritten": result.written,
                "resumed": result.resumed,
                "digest": None if result.digest is None else ":".join(result.digest),
                "seconds": round(seconds, 3),
                "stages": {name: round(spent, 3) for name, spent in result.seconds.items()},
            }
        )

    def failed(self, reason: str, message: str, *, permanent: bool) -> None:
        self._print(
            {"event": "failed", "reason": reason, "permanent": permanent, "message": message}
        )

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value), file=self._out, flush=True)
