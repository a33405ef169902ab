"""How a running import is shown: a bar on a terminal, lines otherwise, JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import Result

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Display(Protocol):
    """Shows one import. Used as a context manager while it runs."""

    interval: float  # seconds between two calls of `progress`

    def __enter__(self) -> Display: ...
    def __exit__(self, *_: object) -> None: ...
    def progress(self, meter: Meter) -> None: ...
    def done(self, result: Result, seconds: float) -> None: ...
    def failed(self, reason: str, message: str, *, permanent: bool) -> None: ...


def display_for(*, json_lines: bool) -> Display:
    """Choose by what the user asked for and where the output goes."""
    if json_lines:
        return JsonLines(sys.stdout)
    return Bar() if sys.stderr.isatty() else Lines(sys.stderr)


def format_bytes(count: float) -> str:
    """Bytes for people, like `1.5 GiB`."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


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


class Lines:
    """A plain line now and then, and one at the end."""

    interval = 0.5
    _EVERY = 5.0  # seconds between two lines

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._throughput = Throughput()
        self._next = time.monotonic() + self._EVERY

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def progress(self, meter: Meter) -> None:
        rate, left = self._throughput.update(meter)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._EVERY
        total = "" if meter.total is None else f" of {format_bytes(meter.total)}"
        eta = "" if left is None else f", {left:.0f} s left"
        self._say(
            f"{meter.stage}: {format_bytes(meter.position)}{total}, {format_bytes(rate)}/s{eta}"
        )

    def done(self, result: Result, seconds: float) -> None:
        self._say(summary(result, seconds))

    def failed(self, reason: str, message: str, *, permanent: bool) -> None:
        remedy = "" if permanent or "run again" in message else " (run again to continue)"
        self._say(f"{reason}: {message}{remedy}")

    def _say(self, line: str) -> None:
        print(f"cdi import: {line}", file=self._out, flush=True)


class Bar(Lines):
    """A progress bar with bytes, rate and time left."""

    interval = 0.1

    def __init__(self) -> None:
        # Only a terminal pays for this import.
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        super().__init__(sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def progress(self, meter: Meter) -> None:
        self._progress.update(
            self._task, description=meter.stage, total=meter.total, completed=meter.position
        )


def summary(result: Result, seconds: float) -> str:
    """What was done, in one line."""
    kind = result.format + (f".{result.compression}" if result.compression else "")
    again = ", continued from an earlier run" if result.resumed else ""
    proof = "" if result.digest is None else f", {result.digest[0]} {result.digest[1]}"
    return (
        f"Completed: {kind} disk of {format_bytes(result.size)}; "
        f"fetched {format_bytes(result.fetched)}, wrote {format_bytes(result.written)} "
        f"in {seconds:.1f} s{again}{proof}"
    )
