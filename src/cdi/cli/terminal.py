"""How a running import is shown to people: a bar on a terminal, lines otherwise."""

from __future__ import annotations

import sys
import time
from typing import Self, TextIO

from cdi.images.transfer.meter import Meter, Throughput
from cdi.images.transfer.result import Result

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def format_bytes(count: float) -> str:
    """Bytes for people, like `1.5 GiB`."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


class Lines:
    """A plain line now and then, and one at the end."""

    interval = 0.5
    _EVERY = 5.0  # seconds between two lines

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._throughput = Throughput()
        self._next = time.monotonic() + self._EVERY

    def __enter__(self) -> Self:
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

    def __enter__(self) -> Self:
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
