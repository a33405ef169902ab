"""
How far an upload is: one line that is written over on a terminal, a line now and then elsewhere.

On standard output, as everything that `cdi image-upload` says. Sizes are in bytes, times in
seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from cdi.cli.terminal import format_bytes

_OFTEN: Final = 0.2
_SELDOM: Final = 5.0
_WIDTH: Final = 30


class Bar:
    """Shows one upload."""

    def __init__(
        self,
        total: int,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._out = out or sys.stdout
        self._clock = clock
        self._terminal = self._out.isatty()
        self._shown = float("-inf")
        self._began: tuple[float, int] | None = None
        self._line = ""

    def at(self, position: int) -> None:
        """So many bytes are there, or on their way."""
        now = self._clock()
        if self._began is None or position < self._began[1]:
            self._began = now, position
        if now - self._shown >= (_OFTEN if self._terminal else _SELDOM):
            self._shown = now
            self._show(position, now)

    def done(self) -> None:
        """All of them are there."""
        self._show(self._total, self._clock())
        if self._terminal:
            print(file=self._out, flush=True)

    def say(self, text: str) -> None:
        """A line of text, above what is shown."""
        self._out.write(f"\r{' ' * len(self._line)}\r" if self._terminal and self._line else "")
        print(text, file=self._out, flush=True)

    def _show(self, position: int, now: float) -> None:
        part = position / self._total if self._total else 1.0
        words = f"{format_bytes(position)} / {format_bytes(self._total)} {100 * part:.2f}%"
        words += self._speed(position, now)
        if not self._terminal:
            print(words, file=self._out, flush=True)
            return
        filled = round(_WIDTH * part)
        line = f"[{'=' * filled}{' ' * (_WIDTH - filled)}] {words}"
        padding = " " * max(0, len(self._line) - len(line))
        self._line = line
        print(f"\r{line}{padding}", end="", file=self._out, flush=True)

    def _speed(self, position: int, now: float) -> str:
        if self._began is None:
            return ""
        began, base = self._began
        passed = now - began
        if passed <= 0 or position <= base:
            return ""
        rate = (position - base) / passed
        left = (self._total - position) / rate
        return f" {format_bytes(rate)}/s" + (f", {_duration(left)} left" if left >= 1 else "")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
